// Spans

let held = null;  // the span while one of its ends is dragged
const unfinished = new Set();  // the fields that somebody is typing in
const spanShown = () => held || workOn().span;

/** Say what became of a time that was typed or chosen. */
function noted(text) {
  $("span-note").textContent = text;
}

function setEnd(which, time) {
  const { span, said } = withEnd(workOn().span, which, time, task.duration);
  changeSpan(draft => { draft.span = span; });
  noted(said);
}

// Rounded outwards, so that the frame itself is in the span.
const startHere = () => setEnd(0, Math.floor(secondsOf(frame) * 10) / 10);
const endHere = () => setEnd(1, Math.min(task.duration, Math.ceil(secondsOf(frame) * 10) / 10));

function typed(which, input) {
  unfinished.delete(input.id);
  const time = input.valueAsNumber;
  if (Number.isFinite(time)) {
    frame = nearest(shown, time);
    return setEnd(which, time);
  }
  show();
  noted("Type a time in seconds, such as 12.5.");
}

/** The time under a pointer; before 0 or after the film's end, if it is beside the timeline. */
function timeAt(event) {
  const bounds = $("line").getBoundingClientRect();
  return (event.clientX - bounds.left) / bounds.width * task.duration;
}

function holdEnd(handle, which, pressed) {
  if (pressed.button !== 0) return;
  handle.focus();
  const offset = workOn().span[which] - timeAt(pressed);  // the handle stays under the finger where it was gripped
  const moveTo = event => {
    held = heldEnd(workOn().span, which, timeAt(event) + offset, task.duration);
    frame = nearest(shown, held[which]);
    show();
  };
  follow(handle, pressed, {
    move: moveTo,
    finish: () => {
      const span = held;
      held = null;
      if (span) changeSpan(draft => { draft.span = span; });
      noted("");
    },
    cancel: () => { held = null; show(); },
  });
}

["start", "end"].forEach((name, which) => {
  const handle = $(`handle-${name}`);
  handle.addEventListener("pointerdown", event => holdEnd(handle, which, event));
  handle.addEventListener("keydown", event => {
    const by = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    frame = nearest(shown, heldEnd(workOn().span, which, workOn().span[which] + by, task.duration)[which]);
    changeSpan(draft => { draft.span = heldEnd(draft.span, which, draft.span[which] + by, task.duration); });
  });
  $(name).addEventListener("input", () => unfinished.add(name));
  $(name).addEventListener("change", event => typed(which, event.target));
  $(name).addEventListener("blur", () => unfinished.delete(name));
});
$("line").addEventListener("click", event => {
  if (!event.target.classList.contains("handle")) goTo(nearest(listed(), clamp(timeAt(event), 0, task.duration)));
});

function restoreSpan() {
  changeSpan(draft => { draft.span = fittedSpan(question().span, task.duration); });
  noted("");
}

function takeOwnSpan() {
  changeSpan(draft => { draft.span = fittedSpan(draft.replaced.span, task.duration); });
}
