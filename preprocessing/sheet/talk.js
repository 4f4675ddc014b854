// Talking with curate.py, one call at a time.

const again = performance.getEntriesByType("navigation")[0]?.type === "reload";
const me = (again && sessionStorage.getItem("curate-window")) || crypto.randomUUID();
sessionStorage.setItem("curate-window", me);
const queue = []; // what was done and is not saved yet
let position = 0, act = 0, talking = false, over = false;

const after = (time) => new Promise((done) => setTimeout(done, time));

function send(what, wanted) {
  tell("");
  act = Math.max(act + 1, Date.now());
  queue.push([act, what, wanted]);
  root.toggleAttribute("data-unsaved", true);
  talk();
}

/** Send what waits, until nothing does; with nothing to send, hear what other windows did. */
async function talk() {
  if (talking || over) return;
  talking = true;
  do {
    const acts = queue.slice();
    const call = server.work({ version: data.version, window: me, position, acts });
    const answer = await Promise.race([call, after(PATIENCE)]); // none: Gradio says undefined
    if (answer) {
      queue.splice(0, acts.length);
      root.toggleAttribute("data-unsaved", queue.length > 0);
      take(answer, acts);
    } else { // sent again, which does no act twice
      away();
      await after(RETRY);
    }
  } while (queue.length && !over);
  talking = false;
}

function away() {
  const unsaved = queue.length ? ` Not saved yet: ${queue.length}.` : "";
  tell(`The program does not answer. Start it again, and leave this page open.${unsaved}`, "away");
}

function take(answer, acts) {
  if (answer.stale) {
    over = true;
    tell("Another dataset is open now. Load this page anew.", "bad");
    return;
  }
  let faces = acts.flatMap(([, , wanted]) => wanted ?? []).map(([face]) => face);
  if (answer.error) tell(answer.error, "bad");
  else {
    if (tone === "away") tell("");
    if (answer.from < position) { // the file of decisions was begun anew
      saved.fill(null);
      faces = [...saved.keys()];
    }
    position = answer.position;
    act = Math.max(act, answer.last);
    for (const [face, keep] of answer.changes) saved[face] = keep;
    faces = faces.concat(answer.changes.map(([face]) => face));
  }
  if (faces.length) settle(faces);
  if (answer.touched?.length) {
    const found = answer.touched.map((face) => places[face]).filter((place) => place >= 0);
    selected.clear();
    if (found.length) moveTo(found.reduce((first, place) => Math.min(first, place)));
  }
}

/** Take into account what is saved of these faces, and over it what waits to be. */
function settle(faces) {
  const waiting = new Map(queue.flatMap(([, , wanted]) => wanted ?? []));
  for (const face of faces) {
    const count = byLabel.get(data.label[face]);
    count.kept -= kept[face];
    count.hand -= shown[face] !== null;
    shown[face] = waiting.has(face) ? waiting.get(face) : saved[face];
    kept[face] = shown[face] ?? data.reason[face] === null;
    count.kept += kept[face];
    count.hand += shown[face] !== null;
  }
  const isShown = SHOW[tools.show.value][1];
  stale = order.reduce((sum, face) => sum + !isShown(face), 0);
  count();
  paint();
}

let message = "", tone = "";
function tell(text, how = "") { // how: "bad", or "away" while the program does not answer
  if (text === message && how === tone) return;
  [message, tone] = [text, how];
  decorate();
}
