// Dragging with one pointer: a second one, as in pinching, ends it without an effect.

const down = new Set();  // the pointers that are pressed
let gesture = null;

function cancelGesture() {
  if (gesture) gesture.cancel();
}

addEventListener("pointerdown", event => {
  if (event.isPrimary) down.clear();  // the release of an earlier one may have been missed
  down.add(event.pointerId);
  cancelGesture();
}, true);
for (const type of ["pointerup", "pointercancel"]) addEventListener(type, event => down.delete(event.pointerId), true);

/**
 * Follow a pointer from press to release: `move` previews, `finish` applies, `cancel` returns to what was there. `far`
 * tells a drag from a click.
 */
function follow(target, pressed, { move, finish, cancel = show }) {
  if (down.size > 1) return;
  pressed.preventDefault();
  pressed.stopPropagation();
  target.setPointerCapture(pressed.pointerId);
  const distance = event => Math.max(Math.abs(event.clientX - pressed.clientX), Math.abs(event.clientY - pressed.clientY));
  const listeners = {
    pointermove: event => { if (distance(event) > 0) move(event); },
    pointerup: event => { end(); finish(event, distance(event) > SHORTEST_DRAG); },
    pointercancel: () => gesture.cancel(),
  };
  const own = Object.entries(listeners).map(([type, act]) => [type, event => { if (event.pointerId === pressed.pointerId) act(event); }]);
  function end() {
    gesture = null;
    for (const [type, listener] of own) target.removeEventListener(type, listener);
  }
  gesture = { cancel: () => { end(); cancel(); } };
  for (const [type, listener] of own) target.addEventListener(type, listener);
}
