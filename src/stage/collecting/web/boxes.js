// Boxes. While a concept is to be drawn, a drag draws it wherever it starts; boxes on the frame can only be selected.

const svg = $("boxes");
const scale = () => task.width / Math.max(1, svg.getBoundingClientRect().width);  // film pixels per screen pixel

const current = () => question().concepts[concept];
const isDrawing = () => step === "where" && current() !== undefined && (picked || !isMarked(frame, current().label));

/** The concept that a drag outside the selected box draws, if any. */
const wanted = () => isDrawing() ? current() : question().concepts.find(c => !isMarked(frame, c.label));

function pointAt(event) {
  const bounds = svg.getBoundingClientRect();
  return [(event.clientX - bounds.left) * scale(), (event.clientY - bounds.top) * scale()];
}

function add(box) {
  changeFrame(here => {
    here.absent = here.absent.filter(label => label !== box.label);
    chosen = here.boxes.push(box) - 1;
    pick(firstOpen());
  });
}

function replaceChosen(box) {
  if (chosen !== null && box.width > 0 && box.height > 0)
    changeFrame(here => { if (chosen !== null) here.boxes[chosen] = box; });
  else show();
}

function deleteChosen() {
  if (chosen === null) return;
  changeFrame(here => {
    if (chosen !== null) here.boxes.splice(chosen, 1);
    chosen = null;
    pick(firstOpen());
  });
}

function toggleAbsent(label) {
  changeFrame(here => {
    const was = here.absent.includes(label);
    here.absent = here.absent.filter(other => other !== label);
    if (!was) {
      here.absent.push(label);
      here.boxes = here.boxes.filter(box => box.label !== label);
    }
    chosen = null;
    pick(firstOpen());
  });
}

function before() {
  const numbers = framesToMark();
  return numbers[numbers.indexOf(frame) - 1];
}

function copyBefore() {
  const from = before();
  if (from === undefined) return;
  changeFrame(here => {
    const there = marks(from);
    const open = question().concepts.map(c => c.label).filter(label => !isMarked(frame, label));
    here.boxes.push(...copied(there.boxes.filter(box => open.includes(box.label))));
    here.absent.push(...there.absent.filter(label => open.includes(label)));
    pick(firstOpen());
  });
}

function choose(index) {
  chosen = index;
  const label = index === null ? null : marks(frame).boxes[index].label;
  pick(index === null ? firstOpen() : Math.max(0, question().concepts.findIndex(c => c.label === label)));
  show();
}

/** A press on the frame, or on the tag of a box. */
function press(event, tagged = null) {
  if (step !== "where" || event.button !== 0) return;
  const grip = event.target.closest(".grip");
  if (grip) resize(grip, event);
  else if (tagged !== null && !isDrawing()) move(tagged, event);
  else draw(event, tagged);
}

function draw(pressed, tagged) {
  const from = pointAt(pressed), concept = wanted();
  const drawn = event => between(from, pointAt(event), concept.label, task);
  follow(svg, pressed, {
    move: event => { if (concept) drawBoxes([...marks(frame).boxes, drawn(event)]); },
    finish: (event, far) => {
      const box = far && concept && drawn(event);
      if (box && box.width && box.height) add(box);
      else if (far) show();
      else choose(tagged ?? smallestAt(marks(frame).boxes, from));
    },
  });
}

function resize(grip, pressed) {
  const box = marks(frame).boxes[chosen];
  const fixed = [
    grip.matches(".nw, .sw") ? box.left + box.width : box.left,
    grip.matches(".nw, .ne") ? box.top + box.height : box.top,
  ];
  const [x, y] = pointAt(pressed);
  const offset = [2 * box.left + box.width - fixed[0] - x, 2 * box.top + box.height - fixed[1] - y];
  change(pressed, chosen, event => between(fixed, pointAt(event).map((at, i) => at + offset[i]), box.label, task));
}

function move(index, pressed) {
  const box = marks(frame).boxes[index], [x, y] = pointAt(pressed);
  chosen = index;
  change(pressed, index, event => {
    const to = pointAt(event);
    return shifted(box, to[0] - x, to[1] - y, task);
  });
}

/** Change a box by dragging. Its tag and grips are redrawn meanwhile, so the frame below them captures the pointer. */
function change(pressed, index, changed) {
  follow(svg, pressed, {
    move: event => drawBoxes(marks(frame).boxes.map((b, i) => i === index ? changed(event) : b)),
    finish: (event, far) => far ? replaceChosen(changed(event)) : choose(index),
  });
}

svg.addEventListener("pointerdown", event => press(event));
