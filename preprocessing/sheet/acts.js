// What a person does: keys, pointer, buttons.

function decideOn(keep) {
  const faces = selected.size ? [...selected] : order.slice(cursor, cursor + 1);
  decide(faces.map((face) => [face, keep]));
}

/** Decide on faces, `wanted` as [face, keep], and go on to the next after them. */
function decide(wanted) {
  if (preview) return tell("Accept the suggestion or drop it first.");
  if (!wanted.length) return;
  send("decide", wanted);
  const last = wanted.reduce((most, [face]) => Math.max(most, places[face]), -1);
  selected.clear();
  settle(wanted.map(([face]) => face));
  moveTo(last + 1);
}

function moveTo(place, extend = false) {
  place = Math.max(0, Math.min(order.length - 1, place));
  if (extend) selected = new Set(between(anchor, place));
  else anchor = place;
  cursor = place;
  reveal();
  paint();
}

const between = (a, b) => order.slice(Math.min(a, b), Math.max(a, b) + 1);

function step(by, extend) {
  if (!extend) selected.clear();
  moveTo(cursor + by, extend);
}

/** Up or down by lines of faces, in the same column where the line is long enough. */
function stepLine(by, extend) {
  const withFaces = lines.filter((line) => !line.group);
  const now = withFaces.findIndex((line) => cursor < line.end);
  const line = withFaces[Math.max(0, Math.min(withFaces.length - 1, now + by))];
  if (!line) return;
  const column = cursor - withFaces[now].start;
  if (!extend) selected.clear();
  moveTo(Math.min(line.start + column, line.end - 1), extend);
}

const onScreen = () => Math.max(1, Math.floor(sheet.clientHeight / (cell + GAP)) - 1);

function selectGroup() {
  const group = groups.find(({ end }) => cursor < end);
  if (group) selected = new Set(order.slice(group.start, group.end));
  paint();
}

function nextUndecided() {
  for (let i = 1; i <= order.length; i++) {
    const place = (cursor + i) % order.length;
    if (shown[order[place]] === null) {
      selected.clear();
      return moveTo(place);
    }
  }
  tell("You have decided on every face shown.");
}

const deeds = {
  keep: () => decideOn(true),
  reject: () => decideOn(false),
  leave: () => decideOn(null),
  undo: () => { if (!preview) send("undo"); },
  redo: () => { if (!preview) send("redo"); },
  anew: () => { if (!preview) arrange(); },
};
const keys = {
  k: deeds.keep, x: deeds.reject, u: deeds.leave, z: deeds.undo, y: deeds.redo,
  g: selectGroup, n: nextUndecided, r: deeds.anew,
  a: () => { selected = new Set(order); paint(); },
  ArrowLeft: (shift) => step(-1, shift), ArrowRight: (shift) => step(1, shift),
  ArrowUp: (shift) => stepLine(-1, shift), ArrowDown: (shift) => stepLine(1, shift),
  PageUp: (shift) => stepLine(-onScreen(), shift),
  PageDown: (shift) => stepLine(onScreen(), shift),
  Home: (shift) => step(-order.length, shift), End: (shift) => step(order.length, shift),
  " ": () => (dialog.open ? dialog.close() : order.length && dialog.showModal()),
  Escape: () => {
    if (preview) return drop();
    selected.clear();
    tell("");
    paint();
  },
};

document.addEventListener("keydown", (event) => {
  if (!data || event.altKey || event.target.closest("select, input")) return;
  if (event.key === " " && event.target.closest("button")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const ctrl = event.ctrlKey || event.metaKey;
  if (ctrl && !"azy".includes(key)) return;
  if (key === "Escape" && dialog.open) return; // the browser closes it
  if (key === "z" && event.shiftKey) deeds.redo();
  else if (keys[key]) keys[key](event.shiftKey);
  else return;
  event.preventDefault();
});

const placeOf = (target) => {
  const found = target?.closest?.(".cell");
  return found ? Number(found.dataset.place) : null;
};

let drag = null, touch = false; // drag: what was selected before it, and where the pointer is
sheet.addEventListener("pointerdown", (event) => {
  touch = event.pointerType === "touch";
  const place = placeOf(event.target);
  if (place === null || event.button || touch) return;
  const ctrl = event.ctrlKey || event.metaKey;
  if (event.shiftKey) return moveTo(place, true);
  if (ctrl) toggle(place);
  else {
    selected.clear();
    moveTo(place);
  }
  drag = { before: new Set(selected), y: event.clientY, x: event.clientX, from: place };
});
sheet.addEventListener("click", (event) => {
  const place = placeOf(event.target);
  if (place !== null && touch) toggle(place);
  const button = event.target.closest("[data-group]");
  if (button) decideGroup(lines[button.closest(".line").dataset.line].group, button.dataset.group);
});
sheet.addEventListener("dblclick", (event) => {
  if (placeOf(event.target) !== null && !touch) keys[" "]();
});

function toggle(place) {
  const face = order[place];
  if (!selected.delete(face)) selected.add(face);
  moveTo(place);
}

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  [drag.x, drag.y] = [event.clientX, event.clientY];
  dragOver();
});
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => { drag = null; });
}

function dragOver() {
  const place = placeOf(document.elementFromPoint(drag.x, drag.y));
  if (place === null || (place === cursor && place === drag.from)) return;
  selected = new Set([...drag.before, ...between(drag.from, place)]);
  cursor = place;
  paint();
}

setInterval(() => { // a drag past an edge scrolls on
  if (!drag) return;
  const { top, bottom } = sheet.getBoundingClientRect();
  const by = drag.y > bottom - 24 ? 30 : drag.y < top + 24 ? -30 : 0;
  if (!by || cursor === drag.from) return;
  sheet.scrollTop += by;
  dragOver();
}, 30);

function decideGroup({ start, end }, what) {
  const isKept = (i) => what === "keep" || (what === "first" && i === 0);
  decide(order.slice(start, end).map((face, i) => [face, isKept(i)]));
}

for (const button of element.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => {
    deeds[button.dataset.do]();
    sheet.focus({ preventScroll: true });
  });
}
