"use strict";
const task = JSON.parse(document.getElementById("task").textContent);
const $ = id => document.getElementById(id);
const KEY = `stage-collect:${task.clip}:${task.key}`;
const shown = Object.keys(task.pictures).map(Number).sort((a, b) => a - b);
const secondsOf = frame => frame / task.rate;
const tenth = time => Math.round(time * 10) / 10;
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const SMALLEST = 4;  // pixels of the screen: what is shorter is a click
const SHORTEST = 0.1;  // seconds of a span

// What was done. For each question: span, confirmed (the person said that the span is right), and for each
// numbered frame its boxes (pixels of the film's own picture) and the concepts that are not visible.
let work = begun();
let step = "when", frame = shown[0], concept = 0, chosen = null;
const past = [];

function begun() {
  const questions = {};
  for (const q of task.questions) {
    const [start, end] = q.span || [0, task.duration];
    const from = clamp(start, 0, task.duration - SHORTEST);
    questions[q.qid] = { span: [from, clamp(end, from + SHORTEST, task.duration)], confirmed: false, frames: {} };
  }
  return { at: 0, questions };
}

const question = () => task.questions[work.at];
const done = (q = question()) => work.questions[q.qid];
const marks = (number, q = question()) => done(q).frames[number] || { boxes: [], absent: [] };
const ownMarks = number => done().frames[number] ||= { boxes: [], absent: [] };
const told = (number, label, q) => {
  const { boxes, absent } = marks(number, q);
  return absent.includes(label) || boxes.some(box => box.label === label);
};
const frameDone = (number, q = question()) => q.concepts.every(c => told(number, c.label, q));
const questionDone = q => done(q).confirmed && framesToMark(q).every(number => frameDone(number, q));

/** The frames of the span, one each two seconds; the nearest one for a span between two of them. */
function framesToMark(q = question()) {
  const [start, end] = done(q).span;
  const within = q.frames.filter(number => start <= secondsOf(number) && secondsOf(number) <= end);
  if (within.length || !q.frames.length) return within;
  const away = number => Math.abs(secondsOf(number) - (start + end) / 2);
  return [q.frames.reduce((a, b) => away(b) < away(a) ? b : a)];
}

// Keeping and saving

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify({ work, step, frame }));
    $("kept").textContent = "kept in this browser";
    $("kept").className = "";
  } catch {
    $("kept").textContent = "not kept: save before you close";
    $("kept").className = "failed";
  }
}

function restore() {
  try {
    ({ work, step, frame } = JSON.parse(localStorage.getItem(KEY)));
    forgetOtherConcepts();
    return true;
  } catch {
    return false;  // there is nothing, or nothing can be read here, which keep() says
  }
}

/** The page may have been made anew since, with fewer nouns. */
function forgetOtherConcepts() {
  for (const q of task.questions) {
    const asked = label => q.concepts.some(c => c.label === label);
    for (const here of Object.values(done(q).frames)) {
      here.boxes = here.boxes.filter(box => asked(box.label));
      here.absent = here.absent.filter(asked);
    }
  }
}

addEventListener("beforeunload", event => { if ($("kept").className === "failed") event.preventDefault(); });

function save() {
  const questions = task.questions.filter(q => done(q).confirmed).map(q => ({
    qid: q.qid,
    span: done(q).span,
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

/** Every change of what was done goes through here, so that it can be undone and is kept. */
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
  if (!done().confirmed) step = "when";
  keep();
  show();
}
