// Moving between questions, steps and frames

const listed = () => step === "when" ? shown : framesToMark();
const nearest = (numbers, time) => numbers.reduce((a, b) => Math.abs(secondsOf(b) - time) < Math.abs(secondsOf(a) - time) ? b : a);

function goTo(number) {
  frame = number;
  chosen = null;
  pick(firstOpen());
  storeView();
  show();
}

/** Select the word to draw; by hand also one that is marked already, to draw another box of it. */
function pick(index, byHand = false) {
  concept = index;
  picked = byHand;
}

function firstOpen() {
  const open = question().concepts.findIndex(c => !isMarked(frame, c.label));
  return open < 0 ? clamp(concept, 0, Math.max(0, question().concepts.length - 1)) : open;
}

function turn(by) {
  const numbers = listed();
  const to = numbers.indexOf(frame) + by;
  if (numbers[to] !== undefined) goTo(numbers[to]);
}

function ask(index) {
  if (!task.questions[index]) return;
  past.length = 0;
  at = index;
  concept = 0;
  reread();
  noted("");
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
  changeSpan(draft => { draft.confirmed = true; delete draft.replaced; });
  noted("");
  enter("where");
}

/** What comes after this frame: the label of the button, and what it does; without `act`, something is missing here. */
function following() {
  if (step === "when") return { label: "Confirm the span", act: confirmSpan };
  const numbers = framesToMark();
  const after = numbers[numbers.indexOf(frame) + 1];
  const open = numbers.find(number => !frameDone(number));
  if (after !== undefined) return { label: "Next frame", act: () => goTo(after) };
  if (open === frame) return { label: "Mark all words first" };
  if (open !== undefined) return { label: "Go to an unfinished frame", act: () => goTo(open) };
  const later = task.questions.findIndex((q, i) => i > at && !questionDone(q));
  const next = later < 0 ? task.questions.findIndex(q => !questionDone(q)) : later;
  if (next < 0) return { label: "All questions are done: save", act: save };
  return { label: next === at + 1 ? "Next question" : `Go to question ${next + 1}, which is unfinished`, act: () => ask(next) };
}

function advance() {
  const { act } = following();
  if (act) act();
}
