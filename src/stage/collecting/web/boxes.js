// Boxes

const svg = $("boxes");
const scale = () => task.width / Math.max(1, svg.getBoundingClientRect().width);  // film pixels per screen pixel

function pointAt(event) {
  const bounds = svg.getBoundingClientRect();
  return [(event.clientX - bounds.left) * scale(), (event.clientY - bounds.top) * scale()];
}

/** A box between two corners in any order, in whole pixels, within the frame. */
function between([x0, y0], [x1, y1], label) {
  const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)].map(x => clamp(Math.round(x), 0, task.width));
  const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)].map(y => clamp(Math.round(y), 0, task.height));
  return { label, left, top, width: right - left, height: bottom - top };
}

const moved = (box, dx, dy) => ({
  ...box,
  left: clamp(Math.round(box.left + dx), 0, task.width - box.width),
  top: clamp(Math.round(box.top + dy), 0, task.height - box.height),
});

function add(box) {
  change(() => {
    const here = ownMarks(frame);
    here.absent = here.absent.filter(label => label !== box.label);
    chosen = here.boxes.push(box) - 1;
    concept = firstOpen();
  });
}

function replaceChosen(box) {
  if (box.width > 0 && box.height > 0) change(() => { ownMarks(frame).boxes[chosen] = box; });
  else show();
}

function deleteChosen() {
  if (chosen === null) return;
  change(() => { ownMarks(frame).boxes.splice(chosen, 1); chosen = null; concept = firstOpen(); });
}

function toggleAbsent(label) {
  change(() => {
    const here = ownMarks(frame);
    const was = here.absent.includes(label);
    here.absent = here.absent.filter(other => other !== label);
    if (!was) {
      here.absent.push(label);
      here.boxes = here.boxes.filter(box => box.label !== label);
    }
    chosen = null;
    concept = firstOpen();
  });
}

function before() {
  const numbers = framesToMark();
  return numbers[numbers.indexOf(frame) - 1];
}

function copyBefore() {
  const from = before();
  if (from === undefined) return;
  change(() => {
    const here = ownMarks(frame), there = marks(from);
    const open = question().concepts.map(c => c.label).filter(label => !isMarked(frame, label));
    here.boxes.push(...there.boxes.filter(box => open.includes(box.label)).map(box => ({ ...box })));
    here.absent.push(...there.absent.filter(label => open.includes(label)));
    concept = firstOpen();
  });
}

/** Follow a pointer from press to release: `draw` previews the result, `finish` applies it. */
function follow(element, event, draw, finish) {
  event.preventDefault();
  event.stopPropagation();
  const from = pointAt(event);
  element.setPointerCapture(event.pointerId);
  const move = e => draw(from, pointAt(e));
  const stop = e => {
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", stop);
    element.removeEventListener("pointercancel", stop);
    const to = pointAt(e);
    const far = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])) > SHORTEST_DRAG * scale();
    if (e.type === "pointercancel") show();
    else finish(from, to, far);
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", stop);
  element.addEventListener("pointercancel", stop);
}

svg.addEventListener("pointerdown", event => {
  if (step !== "where" || event.button !== 0) return;
  const grip = event.target.closest(".grip");
  if (grip) return resize(grip, event);
  const wanted = question().concepts[concept];
  follow(svg, event,
    (from, to) => { if (wanted) drawBoxes([...marks(frame).boxes, between(from, to, wanted.label)]); },
    (from, to, far) => {
      const box = far && wanted && between(from, to, wanted.label);
      if (box && box.width && box.height) add(box);
      else choose(smallestAt(to));
    });
});

function resize(grip, event) {
  const box = marks(frame).boxes[chosen];
  const fixed = [
    grip.classList.contains("nw") || grip.classList.contains("sw") ? box.left + box.width : box.left,
    grip.classList.contains("nw") || grip.classList.contains("ne") ? box.top + box.height : box.top,
  ];
  const sized = to => between(fixed, to, box.label);
  follow(svg, event,
    (from, to) => drawBoxes(marks(frame).boxes.map((b, i) => i === chosen ? sized(to) : b)),
    (from, to, far) => far ? replaceChosen(sized(to)) : show());
}

function grab(tag, index, event) {
  const box = marks(frame).boxes[index];
  chosen = index;
  const shifted = (from, to) => moved(box, to[0] - from[0], to[1] - from[1]);
  // The tag is redrawn while it is dragged, so the frame below it captures the pointer.
  follow(svg, event,
    (from, to) => drawBoxes(marks(frame).boxes.map((b, i) => i === index ? shifted(from, to) : b)),
    (from, to, far) => far ? replaceChosen(shifted(from, to)) : choose(index));
}

function smallestAt([x, y]) {
  const hits = marks(frame).boxes.map((box, i) => ({ box, i })).filter(({ box }) =>
    box.left <= x && x <= box.left + box.width && box.top <= y && y <= box.top + box.height);
  hits.sort((a, b) => a.box.width * a.box.height - b.box.width * b.box.height);
  return hits.length ? hits[0].i : null;
}

function choose(index) {
  chosen = index;
  if (index !== null) {
    const label = marks(frame).boxes[index].label;
    concept = Math.max(0, question().concepts.findIndex(c => c.label === label));
  }
  show();
}
