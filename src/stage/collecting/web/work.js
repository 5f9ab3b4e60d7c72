// The annotator's work: a draft for each question, stored in the browser under a key of its own, so that two tabs of
// the page don't overwrite each other's questions. A draft has the question as it was given, the span, whether it is
// confirmed, and for each numbered frame the boxes (in pixels of the film at its own size) and the absent concepts
// (those that are not visible).

const task = JSON.parse(document.getElementById("task").textContent);
const $ = id => document.getElementById(id);
const KEY = `stage-collect:${task.clip}:${task.key}`;
const shown = Object.keys(task.pictures).map(Number).sort((a, b) => a - b);
const secondsOf = frame => frame / task.rate;

const drafts = {};  // by qid
const unstored = new Set();  // what the browser refused to store
const past = [];  // what can be undone of this question: where it was done, and how to restore what was there
let at = 0, step = "when", frame = shown[0], concept = 0, picked = false, chosen = null;

const question = () => task.questions[at];
const workOn = (q = question()) => drafts[q.qid];
const marks = (number, q = question()) => workOn(q).frames[number] || { boxes: [], absent: [] };
const ownMarks = number => workOn().frames[number] ||= { boxes: [], absent: [] };
const isMarked = (number, label, q) => {
  const { boxes, absent } = marks(number, q);
  return absent.includes(label) || boxes.some(box => box.label === label);
};
const frameDone = (number, q = question()) => q.concepts.every(c => isMarked(number, c.label, q));
const framesToMark = (q = question()) => framesWithin(workOn(q).span, q.frames, secondsOf);
const questionDone = q => workOn(q).confirmed && framesToMark(q).every(number => frameDone(number, q));

// Storing

function stored(name) {
  try {
    return JSON.parse(localStorage.getItem(`${KEY}:${name}`));
  } catch {
    return null;  // storage is unavailable, which store() reports
  }
}

function store(name, value) {
  try {
    localStorage.setItem(`${KEY}:${name}`, JSON.stringify(value));
    unstored.delete(String(name));
  } catch {
    unstored.add(String(name));
  }
  report(unstored.size ? "not stored: save before you close this page" : "stored in this browser");
}

const storeView = () => store("view", { at, step, frame });

function report(text) {
  $("kept").textContent = text;
  $("kept").className = unstored.size ? "failed" : "";
}

/** Read a draft anew: another tab may have changed it. */
function reread(q = question()) {
  if (unstored.has(String(q.qid))) return;
  const given = { question: q.question, answer: q.answer, span: q.span, film: task.film };
  const before = drafts[q.qid], kept = stored(q.qid);
  if (before && !kept) return;
  drafts[q.qid] = reconciled(given, q.concepts.map(c => c.label), kept, task.duration);
  if (q === question() && before && !isSame(before, drafts[q.qid])) {
    chosen = null;
    past.length = 0;  // what was undone would be the other tab's
  }
}

function rereadAll() {
  cancelGesture();
  task.questions.forEach(reread);
  if (step === "where" && !workOn().confirmed) step = "when";
}

addEventListener("storage", event => {
  if (!event.key || (event.key.startsWith(`${KEY}:`) && !event.key.endsWith(":view"))) { rereadAll(); show(); }
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) { rereadAll(); show(); } });
addEventListener("beforeunload", event => { if (unstored.size) event.preventDefault(); });

/** Whether the browser has drafts of a clip of this name that this page can't use. */
function findOtherWork() {
  try {
    return Object.keys(localStorage).some(key => key.startsWith(`stage-collect:${task.clip}:`) && !key.startsWith(`${KEY}:`));
  } catch {
    return false;
  }
}

// Changing: every change goes through one of these two, so that it is stored and can be undone.

function changeSpan(act) {
  reread();
  const { span, confirmed, replaced } = copied(workOn());
  remember(() => Object.assign(workOn(), { span, confirmed, replaced }));
  act(workOn());
  store(question().qid, workOn());
  show();
}

function changeFrame(act) {
  const number = frame;
  reread();
  const before = copied(workOn().frames[number]);
  remember(() => {
    if (before) workOn().frames[number] = before;
    else delete workOn().frames[number];
  });
  act(ownMarks(number));
  store(question().qid, workOn());
  show();
}

function remember(restore) {
  past.push({ step, frame, restore });
}

/** Undo the last change of this question, and show the frame that it was made on. */
function undo() {
  reread();
  const last = past.pop();
  if (!last) return show();
  last.restore();
  ({ step, frame } = last);
  chosen = null;
  pick(firstOpen());
  store(question().qid, workOn());
  storeView();
  report(`undone at ${inSeconds(secondsOf(frame))}`);
  show();
}
