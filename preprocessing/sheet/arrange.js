// Which faces are shown, in which order and groups, and on which line.

const SHOW = {
  all: ["all", () => true],
  kept: ["kept", (face) => kept[face]],
  rejected: ["rejected", (face) => !kept[face]],
  open: ["undecided", (face) => shown[face] === null],
  hand: ["decided by you", (face) => shown[face] !== null],
};
const GROUPS = {
  "": "nothing", person: "person", twins: "near-duplicates", source: "picture or film",
};

/** Which faces are shown, and in which order; it stays so while a person decides. */
function arrange() {
  order = [];
  groups = (preview ? chosenGroups() : wantedGroups()).map(({ title, faces, isLoose }) => {
    const start = order.length;
    order = order.concat(faces);
    return { title, isLoose, start, end: order.length };
  });
  places = data.file.map(() => -1);
  order.forEach((face, place) => { places[face] = place; });
  stale = 0;
  sheets.clear();
  selected.clear();
  lay();
  moveTo(0);
}

function chosenGroups() {
  const { label, chosen, left } = preview;
  return [
    { title: `The ${chosen.length} most various of ${label}`, faces: chosen, isLoose: true },
    { title: `Left out, if you accept: ${left.length}`, faces: left, isLoose: true },
  ];
}

function wantedGroups() {
  const { show, label, reason, sort, group } = tools;
  const isShown = SHOW[show.value][1];
  const faces = data.file.map((_, face) => face).filter((face) => isShown(face) &&
    (!label.value || data.label[face] === label.value) &&
    (!reason.value || data.reason[face] === reason.value));
  const [way, name] = [sort.value[0], sort.value.slice(1)];
  if (name) {
    const score = data.scores[name], sign = way === "-" ? -1 : 1;
    const key = (face) => score[face] ?? Infinity * sign; // without a score: last
    faces.sort((a, b) => sign * (key(a) - key(b)) || a - b);
  }
  if (!group.value) return [{ faces }];
  const column = data[group.value], found = new Map(), loose = [];
  for (const face of faces) {
    const value = column[face];
    if (value === null) loose.push(face);
    else (found.get(value) ?? found.set(value, []).get(value)).push(face);
  }
  const groups = [];
  for (const [value, some] of found) {
    if (some.length > 1) groups.push({ title: groupTitle(group.value, value, some), faces: some });
    else loose.push(...some);
  }
  groups.sort((a, b) => b.faces.length - a.faces.length);
  if (loose.length) groups.push({ title: `Alone: ${loose.length}`, faces: loose, isLoose: true });
  return groups;
}

function groupTitle(by, value, faces) {
  const names = { person: `Person ${value}`, twins: "Nearly the same", source: value };
  return `${names[by]}: ${faces.length}`;
}

/** Cut the order into lines for the width there is, and say where each begins. */
function lay() {
  const style = getComputedStyle(sheet);
  const room = sheet.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const wanted = room < 500 ? NARROW_CELL : CELL;
  width = Math.max(1, Math.floor((room + GAP) / (wanted + GAP)));
  cell = Math.floor((room - (width - 1) * GAP) / width);
  rows.style.setProperty("--cell", `${cell}px`);
  lines = [];
  let top = 0;
  for (const group of groups) {
    if (group.title) {
      lines.push({ group, start: group.start, end: group.end, top });
      top += HEAD;
    }
    for (let start = group.start; start < group.end; start += width) {
      lines.push({ start, end: Math.min(start + width, group.end), top });
      top += cell + GAP;
    }
  }
  rows.style.height = `${top}px`;
  for (const line of drawn.values()) line.remove();
  drawn.clear();
  render();
}

function reveal() {
  const line = lines.find((line) => !line.group && cursor < line.end);
  if (!line) return;
  const room = sheet.clientHeight - 20, top = line.top - 8, bottom = line.top + cell + 8;
  if (top < sheet.scrollTop) sheet.scrollTop = line.start ? top : 0;
  else if (bottom > sheet.scrollTop + room) sheet.scrollTop = bottom - room;
  render();
}
