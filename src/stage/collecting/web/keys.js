// Buttons and keys

const buttons = {
  "when": () => enter("when"), "where": () => workOn().confirmed ? enter("where") : confirmSpan(), "as-given": restoreSpan, "own-span": takeOwnSpan,
  "back": () => turn(-1), "on": () => turn(1), "start-here": startHere, "end-here": endHere, "right": confirmSpan,
  "copy": copyBefore, "undo": undo, "delete": deleteChosen, "forward": advance,
  "previous": () => ask(at - 1), "next": () => ask(at + 1), "save": save, "save-anyway": saveAnyway, "continue": () => $("unfinished").close(),
};
for (const [id, act] of Object.entries(buttons)) $(id).addEventListener("click", act);

function boxByKeys() {
  if (current()) add(between([task.width * 0.4, task.height * 0.4], [task.width * 0.6, task.height * 0.6], current().label, task));
}

function nudge(key, sizes) {
  const by = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2] }[key];
  const box = marks(frame).boxes[chosen];
  const { left, top, width, height } = box;
  const corner = [Math.max(left + 1, left + width + by[0]), Math.max(top + 1, top + height + by[1])];
  replaceChosen(sizes ? between([left, top], corner, box.label, task) : shifted(box, ...by, task));
}

document.addEventListener("keydown", event => {
  if (event.altKey || $("unfinished").open || event.target.matches("input, summary")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") { event.preventDefault(); undo(); }
    return;
  }
  const drawing = step === "where";
  const acts = { Enter: advance, z: undo, p: () => ask(at - 1), n: () => ask(at + 1), ArrowLeft: () => turn(-1), ArrowRight: () => turn(1) };
  acts.Escape = gesture ? cancelGesture : drawing ? () => choose(null) : undefined;
  if (!drawing) Object.assign(acts, { "[": startHere, "]": endHere });
  else Object.assign(acts, {
    b: boxByKeys, c: () => { if (!$("copy").disabled) copyBefore(); }, Delete: deleteChosen, Backspace: deleteChosen,
    x: () => { if (current()) toggleAbsent(current().label); },
  });
  if (drawing && /^[1-9]$/.test(key) && question().concepts[key - 1]) acts[key] = () => { chosen = null; pick(key - 1, true); show(); };
  if (drawing && chosen !== null && key.startsWith("Arrow")) acts[key] = () => nudge(key, event.shiftKey);
  if (!acts[key] || (key === "Enter" && event.target.matches("button, a"))) return;  // Enter presses the focused button
  event.preventDefault();
  acts[key]();
});

/** Continue where this browser was last, or begin with the first question. */
function start() {
  const view = stored("view");
  rereadAll();
  if (!view || !task.questions[view.at]) return enter("when");
  ({ at, step, frame } = view);
  pick(firstOpen());
  if (step === "where" && !workOn().confirmed) enter("when");
  else show();
  $("work").scrollIntoView();
}

function showTicks() {
  const every = [1, 2, 5, 10, 15, 30, 60].find(s => task.duration / s < 14) || 60;
  for (let time = 0, i = 0; time <= task.duration; time += every, i++) {
    const tick = element("span", { class: i % 2 ? "minor" : "" }, `${time} s`);
    tick.style.left = percent(time, task.duration);
    $("ticks").append(tick);
  }
}

addEventListener("resize", show);
showTicks();
start();
