"""What the browser does by itself, once the page is there."""

# Seeds and whatever else is in the address stay; the tab is told there, but for the first one. Back
# goes to the tab before, with what is mixed now.
TABS = """() => {
    const tabOf = () => new URLSearchParams(location.search).get("tab") || "mix";
    const isTab = (target) => target.matches?.("[role=tab]");
    const open = (tab) =>
        document.querySelector(`[role=tab][data-tab-id="${CSS.escape(tab)}"]`)?.click();
    const address = (search, tab) => {
        const query = new URLSearchParams(search);
        if (tab === "mix") query.delete("tab"); else query.set("tab", tab);
        return location.pathname + (query.size ? "?" + query : "");
    };
    let search = location.search;  // before Back
    new MutationObserver((changes) => {
        for (const { target } of changes) {
            if (!isTab(target) || target.ariaSelected !== "true") continue;
            const tab = target.dataset.tabId;
            if (tab !== tabOf()) history.pushState(null, "", address(location.search, tab));
        }
        search = location.search;
    }).observe(document.body, { subtree: true, attributeFilter: ["aria-selected"] });
    addEventListener("mixed", () => search = location.search);
    addEventListener("popstate", () => {
        const tab = tabOf();
        history.replaceState(null, "", address(search, tab));
        open(tab);
    });
    if (tabOf() !== "mix") open(tabOf());
}"""

# A number beyond the ends of its slider becomes the nearest bound where it is typed, too: at once
# if it is too large, when it is complete if it is too small, for more digits may follow.
BOUNDS = """() => {
    const bound = (event) => {
        const box = event.target, value = box.valueAsNumber;
        if (box.type !== "number" || box.max === "" || box.min === "") return;
        const most = Number(box.max), least = Number(box.min);
        const low = event.type === "change" && value < least;
        const nearest = value > most ? most : low ? least : value;
        if (nearest === value || isNaN(value)) return;
        box.value = nearest;
        box.dispatchEvent(new Event("input", { bubbles: true }));
    };
    for (const type of ["input", "change"]) document.addEventListener(type, bound, true);
}"""

# What is typed into the field of a seed counts when typing rests, or at once when the field is left
# or Enter is pressed. Letters do not get in; browsers would take an e, for numbers such as 1e5.
SEEDS = """() => {
    const isSeed = (event) => event.target.matches?.(".seed input");
    const count = (field) => {
        clearTimeout(field.resting);
        field.resting = null;
        field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    document.addEventListener("beforeinput", (event) => {
        if (isSeed(event) && /[^-0-9., ]/.test(event.data ?? "")) event.preventDefault();
    }, true);
    document.addEventListener("input", (event) => {
        if (!isSeed(event) || !event.isTrusted) return;
        event.stopImmediatePropagation();
        clearTimeout(event.target.resting);
        event.target.resting = setTimeout(count, 500, event.target);
    }, true);
    document.addEventListener("change", (event) => {
        if (isSeed(event) && event.target.resting) count(event.target);
    }, true);
}"""

# Before the page's own style is there a dark one would be white.
HEAD = """<meta name="color-scheme" content="light dark">
<style>@media (prefers-color-scheme: dark) { html { background: #0b0f19; } }</style>"""


def all_of(*functions: str) -> str:
    """One function of JavaScript that calls others."""
    return "() => {" + "".join(f"({function})();" for function in functions) + "}"
