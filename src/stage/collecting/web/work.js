"use strict";
const task = JSON.parse(document.getElementById("task").textContent);
const $ = id => document.getElementById(id);
const KEY = `stage-collect:${task.clip}:${task.key}`;
const shown = Object.keys(task.pictures).map(Number).sort((a, b) => a - b);
const secondsOf = frame => frame / task.rate;
const tenth = time => Math.round(time * 10) / 10;
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const SHORTEST_DRAG = 4;  // screen pixels: anything shorter is a click
const SHORTEST_SPAN = 0.1;  // seconds

// The annotator's work. For each question: its span, whether it is confirmed, and for each numbered frame the boxes
// (in pixels of the film at its own size) and the absent concepts (those that are not visible).
let work = initialWork();
let step = "when", frame = shown[0], concept = 0, chosen = null;
const past = [];

function initialWork() {
  const questions = {};
  for (const q of task.questions) {
    const [start, end] = q.span || [0, task.duration];
    const from = clamp(start, 0, task.duration - SHORTEST_SPAN);
    questions[q.qid] = { span: [from, clamp(end, from + SHORTEST_SPAN, task.duration)], confirmed: false, frames: {} };
  }
  return { at: 0, questions };
}

const question = () => task.questions[work.at];
const workOn = (q = question()) => work.questions[q.qid];
const marks = (number, q = question()) => workOn(q).frames[number] || { boxes: [], absent: [] };
const ownMarks = number => workOn().frames[number] ||= { boxes: [], absent: [] };
const isMarked = (number, label, q) => {
  const { boxes, absent } = marks(number, q);
  return absent.includes(label) || boxes.some(box => box.label === label);
};
const frameDone = (number, q = question()) => q.concepts.every(c => isMarked(number, c.label, q));
const questionDone = q => workOn(q).confirmed && framesToMark(q).every(number => frameDone(number, q));

/** The frames of the span, one every two seconds; for a span between two of them, the nearest one. */
function framesToMark(q = question()) {
  const [start, end] = workOn(q).span;
  const within = q.frames.filter(number => start <= secondsOf(number) && secondsOf(number) <= end);
  if (within.length || !q.frames.length) return within;
  const away = number => Math.abs(secondsOf(number) - (start + end) / 2);
  return [q.frames.reduce((a, b) => away(b) < away(a) ? b : a)];
}

// Keeping and saving

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify({ work, step, frame }));
    $("kept").textContent = "stored in this browser";
    $("kept").className = "";
  } catch {
    $("kept").textContent = "not stored: save before you close this page";
    $("kept").className = "failed";
  }
}

function restore() {
  try {
    ({ work, step, frame } = JSON.parse(localStorage.getItem(KEY)));
    forgetOtherConcepts();
    return true;
  } catch {
    return false;  // nothing is stored, or storage is unavailable, which keep() reports
  }
}

/** The page may have been regenerated since, with fewer concepts. */
function forgetOtherConcepts() {
  for (const q of task.questions) {
    const asked = label => q.concepts.some(c => c.label === label);
    for (const here of Object.values(workOn(q).frames)) {
      here.boxes = here.boxes.filter(box => asked(box.label));
      here.absent = here.absent.filter(asked);
    }
  }
}

addEventListener("beforeunload", event => { if ($("kept").className === "failed") event.preventDefault(); });

function save() {
  const questions = task.questions.filter(q => workOn(q).confirmed).map(q => ({
    qid: q.qid,
    span: workOn(q).span,
    frames: Object.fromEntries(framesToMark(q).filter(number => q.concepts.length && frameDone(number, q)).map(number => [
      number, { boxes: marks(number, q).boxes, not_visible: marks(number, q).absent },
    ])),
    finished: questionDone(q),
  }));
  const { format, clip, width, height, frame_count } = task;
  const text = JSON.stringify({ format, clip, width, height, frame_count, questions });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `${clip}.done.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  $("kept").textContent = `saved: ${link.download}`;
}

/** Every change of the work goes through here, so that it is stored and can be undone. */
function change(act) {
  past.push(JSON.stringify(work));
  act();
  keep();
  show();
}

function undo() {
  if (!past.length) return;
  work = JSON.parse(past.pop());
  chosen = null;
  if (!workOn().confirmed) step = "when";
  keep();
  show();
}
