// Around the sheet: facts, counts, choices; and the start.

function describe(face) {
  const facts = find(".facts");
  facts.replaceChildren();
  for (const image of [find(".close"), dialog.querySelector("img")]) {
    image.hidden = face === undefined;
    const address = `face/${data.version}/${face}.jpg`;
    if (face !== undefined && image.getAttribute("src") !== address) image.src = address;
  }
  if (face === undefined) return;
  const known = [["time", (s) => clock(s)], ["person", (n) => `person ${n}`]];
  const more = known.filter(([name]) => data[name][face] !== null)
    .map(([name, say]) => say(data[name][face]));
  const scores = Object.entries(data.scores).filter(([, values]) => values[face] !== null)
    .map(([name, values]) => `${name} ${Number(values[face].toPrecision(3))}`);
  const reason = data.reason[face], said = shown[face] === null ? "" : reason;
  facts.append(make("b", "", words(face)));
  for (const text of [said && `preparation: ${said}`, data.file[face], data.source[face],
    more.join(", "), scores.join(", ")]) {
    if (text) facts.append(make("span", "", text));
  }
  dialog.querySelector("p").textContent = `${words(face)} · ${data.file[face]}`;
}

function clock(seconds) {
  const whole = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
  const minutes = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return `at ${whole >= 3600 ? `${Math.floor(whole / 3600)}:` : ""}${minutes}`;
}

function count() {
  const labels = find(".labels");
  for (const [label, { kept, hand, all }] of byLabel) {
    let box = [...labels.children].find((box) => box.dataset.label === label);
    if (!box) {
      box = make("div", "");
      box.dataset.label = label;
      const button = make("button", "", "Suggest");
      button.type = "button";
      button.addEventListener("click", () => suggest(label));
      box.append(make("b", "", label), make("span", ""), make("progress", ""),
        make("span", "more"), button);
      labels.insertBefore(box, labels.lastElementChild);
    }
    const [, text, bar, more, button] = box.children;
    text.textContent = `${kept} of ${target()} kept`;
    more.textContent = `${all - hand} undecided`;
    [bar.max, bar.value] = [target(), Math.min(kept, target())];
    button.title = `Choose the ${target()} most various of the kept faces; you see them first`;
    button.textContent = `Suggest ${target()}`;
    button.disabled = kept <= target();
  }
}

function decorate() {
  banner.hidden = !message && !preview;
  banner.classList.toggle("bad", tone !== "");
  banner.replaceChildren(message);
  if (!preview) return;
  const { label, chosen, left } = preview;
  banner.append(` Keep these ${chosen.length} of ${label} and reject the other ${left.length}?`);
  for (const [text, deed] of [["Accept", accept], ["Drop it", drop]]) {
    const button = make("button", "", text);
    button.type = "button";
    button.addEventListener("click", deed);
    banner.append(button);
  }
}

function options(select, entries) {
  for (const [value, text] of entries) select.append(new Option(text, value));
}

function fillTools() {
  const distinct = (column) => [...new Set(column)].filter((value) => value !== null).sort();
  const numbers = Object.keys(data.scores).flatMap((name) => [
    [`+${name}`, `${name}, lowest first`], [`-${name}`, `${name}, highest first`]]);
  options(tools.show, Object.entries(SHOW).map(([value, [text]]) => [value, text]));
  options(tools.label, [["", "all"], ...distinct(data.label).map((label) => [label, label])]);
  const reasons = distinct(data.reason).map((reason) => [reason, reason]);
  options(tools.reason, [["", "any or none"], ...reasons]);
  options(tools.sort, [["", "place"], ...numbers]);
  options(tools.group, Object.entries(GROUPS));
  aim.value = localStorage.getItem("curate-target") ?? 1000;
  aim.addEventListener("change", () => {
    localStorage.setItem("curate-target", target());
    count();
  });
  find(".tools").addEventListener("change", () => {
    preview = null;
    decorate();
    arrange();
    sheet.focus({ preventScroll: true });
  });
  for (const form of element.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => event.preventDefault());
  }
}

async function start() {
  data = await server.faces({});
  saved = data.file.map(() => null);
  shown = saved.slice();
  kept = data.reason.map((reason) => reason === null);
  byLabel = new Map(data.label.map((label) => [label, { kept: 0, hand: 0, all: 0 }]));
  data.label.forEach((label, face) => {
    byLabel.get(label).all++;
    byLabel.get(label).kept += kept[face];
  });
  fillTools();
  count();
  arrange();
  let waits = false;
  sheet.addEventListener("scroll", () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      render();
    });
  }, { passive: true });
  let before = 0;
  new ResizeObserver(() => {
    if (sheet.clientWidth === before) return render();
    before = sheet.clientWidth;
    lay();
    reveal();
  }).observe(sheet);
  addEventListener("beforeunload", (event) => { if (queue.length) event.preventDefault(); });
  const listen = () => { if (!document.hidden) talk(); };
  document.addEventListener("visibilitychange", listen);
  setInterval(listen, POLL);
  await talk();
  arrange();
  root.dataset.ready = "yes";
  sheet.focus({ preventScroll: true });
}

start();
