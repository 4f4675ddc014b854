// The sheet of faces: what all of it shares. curate.py joins the parts in the order of its list.
// Gradio runs them once, as one function, with `element`, which holds sheet.html, and `server`, the
// functions of curate.py. A face is its number there; a place is where the sheet shows it.

const find = (selector) => element.querySelector(selector);
const root = find(".curate"), sheet = find(".sheet"), rows = find(".lines");
const tools = find(".tools").elements, aim = find(".labels").elements.target;
const banner = find(".banner"), dialog = find("dialog");
const GAP = 6, HEAD = 34, CELL = 100, NARROW_CELL = 80, BEYOND = 500; // pixels
const POLL = 2000, RETRY = 1000, PATIENCE = 10000; // milliseconds
const AT_ONCE = 4; // small pictures' sheets that are fetched at a time
const REMEMBERED = 150; // of them, kept at hand

let data; // the columns that curate.py sends
let saved, shown; // by face: true, false, or null where no person has decided
let kept, byLabel; // by face; label -> how many are kept, decided by hand, there at all
let order = [], places = []; // by place: the face; by face: its place, or -1
let stale = 0; // faces in the order that no longer are what "Show" asks for
let groups = []; // parts of the order, with a title if there are several: {title, start, end}
let lines = []; // on the sheet: a group's title, or some faces: {start, end, top}
let width = 1, cell = CELL; // faces in a line; pixels of one
let cursor = 0, anchor = 0; // places
let selected = new Set(); // faces
let preview = null; // a suggestion that waits for a yes: {label, chosen, left}
