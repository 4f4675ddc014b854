// Drawing the lines in view, with the small pictures of curate.py.

const drawn = new Map(); // line's number -> its element
const sheets = new Map(); // page of the order -> {image, isReady}

function firstBelow(y) {
  let low = 0, high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].top + cell + GAP < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

function render() {
  const top = sheet.scrollTop - BEYOND, bottom = sheet.scrollTop + sheet.clientHeight + BEYOND;
  const first = firstBelow(top);
  let last = first;
  while (last < lines.length && lines[last].top < bottom) last++;
  for (const [number, line] of drawn) {
    if (number < first || number >= last) {
      line.remove();
      drawn.delete(number);
    }
  }
  for (let number = first; number < last; number++) {
    if (drawn.has(number)) continue;
    const line = lines[number].group ? drawHead(lines[number].group) : drawFaces(lines[number]);
    line.dataset.line = number;
    line.style.transform = `translateY(${lines[number].top}px)`;
    drawn.set(number, line);
    rows.append(line);
  }
  fetchSheets();
}

function make(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function drawHead({ title, isLoose }) {
  const head = make("div", "line head");
  head.append(make("span", "", title));
  const buttons = { keep: "Keep all", reject: "Reject all", first: "Keep the first" };
  for (const [what, text] of isLoose ? [] : Object.entries(buttons)) {
    const button = make("button", "", text);
    button.type = "button";
    button.dataset.group = what;
    if (what === "first") button.title = "and reject the others";
    head.append(button);
  }
  return head;
}

function drawFaces({ start, end }) {
  const line = make("div", "line");
  for (let place = start; place < end; place++) {
    const one = make("div", "");
    one.dataset.place = place;
    one.id = `face-${order[place]}`;
    one.setAttribute("role", "option");
    one.append(make("div", "face"), make("i", ""));
    line.append(one);
    paintCell(one);
    paintFace(one);
  }
  return line;
}

const stateOf = (face) =>
  (kept[face] ? "kept" : "rejected") + (shown[face] === null ? "" : " hand");

function paintCell(one) {
  const place = Number(one.dataset.place), face = order[place], state = stateOf(face);
  const isSelected = selected.has(face);
  const all = `cell ${state}${isSelected ? " selected" : ""}${place === cursor ? " cursor" : ""}`;
  if (one.className === all) return;
  one.className = all;
  one.lastChild.className = `mark ${state}`;
  one.lastChild.textContent = kept[face] ? "✓" : "✗";
  one.setAttribute("aria-selected", isSelected);
  one.setAttribute("aria-label", `${data.file[face]}: ${words(face)}`);
}

const words = (face) => {
  const by = shown[face] === null ? (data.reason[face] ?? "") : "by you";
  return (kept[face] ? "kept" : "rejected") + (by ? `, ${by}` : "");
};

const addressOf = (page) => {
  const faces = order.slice(page * data.onSheet, (page + 1) * data.onSheet);
  return `sheet/${data.version}/${faces.join("-")}.jpg`;
};

function paintFace(one) {
  const place = Number(one.dataset.place), page = Math.floor(place / data.onSheet);
  if (!sheets.get(page)?.isReady) return;
  const at = place % data.onSheet, side = cell - 6; // without the border
  const x = (at % data.columns) * side, y = Math.floor(at / data.columns) * side;
  const { style } = one.firstChild;
  style.backgroundImage = `url("${sheets.get(page).image.src}")`;
  style.backgroundSize = `${data.columns * side}px auto`;
  style.backgroundPosition = `-${x}px -${y}px`;
}

/** Fetch what is in view, nearest to its middle first, a few at a time. */
function fetchSheets() {
  const middle = sheet.scrollTop + sheet.clientHeight / 2, wanted = new Map();
  for (const number of drawn.keys()) {
    const { start, end, top, group } = lines[number];
    if (group) continue;
    for (const place of [start, end - 1]) {
      const page = Math.floor(place / data.onSheet), far = Math.abs(top + cell / 2 - middle);
      wanted.set(page, Math.min(far, wanted.get(page) ?? Infinity));
    }
  }
  const underway = [...sheets.values()].filter(({ isReady }) => !isReady).length;
  const missing = [...wanted.keys()].filter((page) => !sheets.has(page));
  missing.sort((a, b) => wanted.get(a) - wanted.get(b));
  for (const page of missing.slice(0, Math.max(0, AT_ONCE - underway))) fetchSheet(page);
  for (const page of sheets.keys()) {
    if (sheets.size <= REMEMBERED) break;
    if (!wanted.has(page)) sheets.delete(page);
  }
}

function fetchSheet(page) {
  const entry = { image: new Image(), isReady: false };
  sheets.set(page, entry);
  entry.image.src = addressOf(page);
  const next = () => { if (sheets.get(page) === entry) fetchSheets(); };
  entry.image.decode().then(() => {
    entry.isReady = true;
    if (sheets.get(page) !== entry) return;
    for (const one of rows.querySelectorAll(".cell")) {
      if (Math.floor(Number(one.dataset.place) / data.onSheet) === page) paintFace(one);
    }
    next();
  }, () => setTimeout(() => { // the program is away; later again
    if (sheets.get(page) === entry) sheets.delete(page);
    fetchSheets();
  }, RETRY));
}

function paint() {
  for (const one of rows.querySelectorAll(".cell")) paintCell(one);
  const face = order[cursor];
  sheet.setAttribute("aria-activedescendant", `face-${face}`);
  describe(face);
  const note = preview || !stale ? "" : `, ${stale} no longer ${SHOW[tools.show.value][0]}`;
  const chosen = selected.size ? `, ${selected.size} selected` : "";
  find(".shown").textContent = `${order.length} shown${chosen}${note}`;
  find("[data-do=anew]").hidden = !note;
  let empty = rows.querySelector(".empty");
  if (!order.length && !empty) rows.append(make("p", "empty", "No face is like that."));
  if (order.length) empty?.remove();
}
