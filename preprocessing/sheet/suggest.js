// The most various choice, seen before it is accepted.

const target = () => Math.max(1, Math.floor(Number(aim.value)) || 1000);

async function suggest(label) {
  if (queue.length) return;
  tell(`Comparing the kept faces of ${label} …`);
  const found = await server.suggest({ label, count: target() });
  if (!found) return away();
  preview = found.left.length ? { label, ...found } : null;
  const few = `${label} has ${found.chosen.length} kept faces, which is not more than ${target()}.`;
  tell(preview ? "" : few);
  arrange();
}

function accept() {
  // what a person, here or in another window, has decided otherwise meanwhile stays
  const chosen = preview.chosen.filter((face) => shown[face] !== false);
  const left = preview.left.filter((face) => shown[face] !== true);
  const wanted = [...chosen.map((face) => [face, true]), ...left.map((face) => [face, false])];
  preview = null;
  send("decide", wanted);
  settle(wanted.map(([face]) => face));
  arrange();
}

function drop() {
  preview = null;
  tell("");
  arrange();
}
