"use strict";
// What holds for spans, frames and boxes. Pure functions: none of them reads the page or the annotator's work.

const SHORTEST_DRAG = 4;  // screen pixels: anything shorter is a click
const SHORTEST_SPAN = 0.1;  // seconds
const FOLLOWING_SPAN = 1;  // seconds: the span that is left where one end has overtaken the other

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const rounded = (value, parts) => Math.round(value * parts) / parts;
const tenth = time => rounded(time, 10);
const inSeconds = time => `${tenth(time).toFixed(1)} s`;
const spanText = span => `${tenth(span[0]).toFixed(1)} to ${inSeconds(span[1])}`;
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const copied = value => value === undefined ? undefined : JSON.parse(JSON.stringify(value));
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The part of a given span that lies in the film; the whole film if there is none. */
function fittedSpan(given, duration) {
  if (!given || given[0] > duration - SHORTEST_SPAN || given[1] < SHORTEST_SPAN) return [0, duration];
  const start = Math.max(0, given[0]);
  return [start, clamp(given[1], start + SHORTEST_SPAN, duration)];
}

/** Whether a given span is not all in the film, which may end up to a third of a second after its last numbered frame. */
const exceeds = (given, duration) => Boolean(given) && (given[0] < 0 || given[1] > duration + 1 / 3);

/**
 * A span with one end (0: start, 1: end) at a time that was typed or chosen by a button. Where it would end before it
 * starts, the other end follows. `said` is what differs from what was asked for, in words.
 */
function withEnd(span, which, time, duration) {
  const moved = [...span], said = [];
  moved[which] = which ? clamp(tenth(time), SHORTEST_SPAN, duration) : clamp(tenth(time), 0, duration - SHORTEST_SPAN);
  if (time < 0) said.push("The film starts at 0.0 s.");
  else if (tenth(time) > tenth(duration)) said.push(`The film ends at ${inSeconds(duration)}.`);
  if (rounded(moved[1] - moved[0], 1000) < SHORTEST_SPAN) {
    const other = 1 - which;
    moved[other] = clamp(moved[which] + (which ? -FOLLOWING_SPAN : FOLLOWING_SPAN), 0, duration);
    said.push(`The ${other ? "end" : "start"} has moved along, to ${inSeconds(moved[other])}.`);
  }
  return { span: moved.map(end => rounded(end, 1000)), said: said.join(" ") };
}

/** A span with one end dragged to a time, at most up to the other end. */
function heldEnd(span, which, time, duration) {
  const moved = [...span];
  moved[which] = which ? clamp(tenth(time), span[0] + SHORTEST_SPAN, duration) : clamp(tenth(time), 0, span[1] - SHORTEST_SPAN);
  return moved.map(end => rounded(end, 1000));
}

/** The frames of a span, one every two seconds; for a span between two of them, the nearest one. */
function framesWithin([start, end], numbers, seconds) {
  const within = numbers.filter(number => start <= seconds(number) && seconds(number) <= end);
  if (within.length || !numbers.length) return within;
  const away = number => Math.abs(seconds(number) - (start + end) / 2);
  return [numbers.reduce((a, b) => away(b) < away(a) ? b : a)];
}

/** A box between two corners in any order, in whole pixels, within a film of this size. */
function between([x0, y0], [x1, y1], label, { width, height }) {
  const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)].map(x => clamp(Math.round(x), 0, width));
  const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)].map(y => clamp(Math.round(y), 0, height));
  return { label, left, top, width: right - left, height: bottom - top };
}

const shifted = (box, dx, dy, { width, height }) => ({
  ...box,
  left: clamp(Math.round(box.left + dx), 0, width - box.width),
  top: clamp(Math.round(box.top + dy), 0, height - box.height),
});

/** The index of the smallest box around a point; null if there is none. */
function smallestAt(boxes, [x, y]) {
  const hits = boxes.map((box, index) => ({ box, index })).filter(({ box }) =>
    box.left <= x && x <= box.left + box.width && box.top <= y && y <= box.top + box.height);
  hits.sort((a, b) => a.box.width * a.box.height - b.box.width * b.box.height);
  return hits.length ? hits[0].index : null;
}

/**
 * The draft of a question on this page. A stored one knows what it was made for: where question, answer, given span or
 * film are others now, the new span is taken, the boxes stay, and `replaced` says what to check again.
 */
function reconciled(given, labels, stored, duration) {
  const fresh = { given, span: fittedSpan(given.span, duration), confirmed: false, frames: {} };
  if (!stored || !Array.isArray(stored.span) || !stored.frames) return fresh;
  const frames = {};
  for (const [number, { boxes, absent }] of Object.entries(stored.frames))
    frames[number] = { boxes: boxes.filter(box => labels.includes(box.label)), absent: absent.filter(label => labels.includes(label)) };
  if (isSame(stored.given, given)) return { ...stored, frames };
  const earlier = stored.given || {};
  const asked = earlier.question !== given.question || earlier.answer !== given.answer;
  const replaced = { asked, film: earlier.film !== given.film, given: earlier.span, span: stored.span };
  const span = isSame(earlier.span, given.span) ? fittedSpan(stored.span, duration) : fresh.span;
  return { ...fresh, span, frames, replaced };
}

/** What has to be checked again, in words. */
function replacedText({ asked, film, given, span }, now) {
  const said = [];
  if (asked) said.push("This question or its answer was changed after you worked on it.");
  if (film) said.push("The film was replaced after you worked on it: check the boxes, too.");
  if (!isSame(given, now.given.span)) {
    said.push(`The original span was corrected (before: ${given ? spanText(given) : "none"}), and the new one is set.`);
  }
  if (!isSame(span, now.span)) said.push(`You had set ${spanText(span)}.`);
  return said.join(" ");
}
