// Navigation

function goTo(number) {
  frame = number;
  chosen = null;
  concept = firstOpen();
  keep();
  show();
}

function firstOpen() {
  const open = question().concepts.findIndex(c => !isMarked(frame, c.label));
  return open < 0 ? Math.min(concept, Math.max(0, question().concepts.length - 1)) : open;
}

const listed = () => step === "when" ? shown : framesToMark();
const nearest = (numbers, time) => numbers.reduce((a, b) => Math.abs(secondsOf(b) - time) < Math.abs(secondsOf(a) - time) ? b : a);

function turn(by) {
  const numbers = listed();
  const to = numbers.indexOf(frame) + by;
  if (numbers[to] !== undefined) goTo(numbers[to]);
}

function ask(at) {
  if (!task.questions[at]) return;
  past.length = 0;
  work.at = at;
  concept = 0;
  enter(workOn().confirmed ? "where" : "when");
  $("work").scrollIntoView();
}

function enter(next) {
  step = next;
  const open = step === "where" && framesToMark().find(number => !frameDone(number));
  const from = workOn().span[0];
  goTo(open || (step === "where" ? framesToMark()[0] : shown.find(number => secondsOf(number) >= from) || nearest(shown, from)));
}

function confirmSpan() {
  change(() => { workOn().confirmed = true; });
  enter("where");
}

function advance() {
  if (step === "when") return confirmSpan();
  const numbers = framesToMark();
  const after = numbers[numbers.indexOf(frame) + 1];
  const open = numbers.find(number => !frameDone(number));
  if (after !== undefined) goTo(after);
  else if (open !== undefined && open !== frame) goTo(open);
  else if (questionDone(question()) && work.at + 1 < task.questions.length) ask(work.at + 1);
}

// Spans

function setSpan(which, time) {
  if (!Number.isFinite(time)) return;
  const span = workOn().span;
  span[which] = which === 0 ? clamp(tenth(time), 0, span[1] - SHORTEST_SPAN) : clamp(tenth(time), span[0] + SHORTEST_SPAN, task.duration);
  span[which] = Math.round(span[which] * 1000) / 1000;
}

// Rounded outwards, so that the frame itself is in the span. If the span would become empty, its other end follows.
const startHere = () => change(() => {
  const time = Math.floor(secondsOf(frame) * 10) / 10;
  if (time >= workOn().span[1]) setSpan(1, time + 1);
  setSpan(0, time);
});
const endHere = () => change(() => {
  const time = Math.ceil(secondsOf(frame) * 10) / 10;
  if (time <= workOn().span[0]) setSpan(0, time - 1);
  setSpan(1, time);
});

function timeAt(event) {
  const bounds = $("line").getBoundingClientRect();
  return clamp((event.clientX - bounds.left) / bounds.width, 0, 1) * task.duration;
}

["start", "end"].forEach((name, which) => {
  const handle = $(`handle-${name}`);
  handle.addEventListener("pointerdown", event => {
    event.preventDefault();
    event.stopPropagation();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    past.push(JSON.stringify(work));
  });
  handle.addEventListener("pointermove", event => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    setSpan(which, timeAt(event));
    frame = nearest(shown, workOn().span[which]);
    show();
  });
  handle.addEventListener("pointerup", keep);
  handle.addEventListener("keydown", event => {
    const by = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    change(() => { setSpan(which, workOn().span[which] + by); frame = nearest(shown, workOn().span[which]); });
  });
  $(name).addEventListener("change", () => change(() => setSpan(which, $(name).valueAsNumber)));
});
$("line").addEventListener("click", event => { if (!event.target.classList.contains("handle")) goTo(nearest(listed(), timeAt(event))); });
$("as-given").addEventListener("click", () => change(() => { workOn().span = initialWork().questions[question().qid].span; }));
