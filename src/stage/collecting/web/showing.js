// Rendering

function element(tag, attributes = {}, ...children) {
  const space = ["g", "rect", "circle"].includes(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const made = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Replace the items of a list; if one has the keyboard focus, its successor gets it. */
function renew(list, items) {
  const within = () => [...list.querySelectorAll("button, a")];
  const at = document.activeElement.matches(":focus-visible") ? within().indexOf(document.activeElement) : -1;
  list.replaceChildren(...items);
  if (at >= 0 && within()[at]) within()[at].focus({ preventScroll: true });
}

const percent = (part, whole) => `${(100 * part / whole).toFixed(3)}%`;
const colourOf = label => `c${(question().concepts.find(c => c.label === label) || { colour: 0 }).colour}`;

function drawBoxes(boxes) {
  const grips = !isDrawing();
  svg.replaceChildren();
  $("tags").replaceChildren();
  boxes.forEach((box, index) => {
    const { left: x, top: y, width, height } = box;
    const selected = index === chosen ? " chosen" : "";
    const group = element("g", { class: `box ${colourOf(box.label)}${selected}` },
      ...["halo", "line"].map(kind => element("rect", { class: kind, x, y, width, height })));
    if (selected && grips) {
      for (const [name, cx, cy] of [["nw", x, y], ["ne", x + width, y], ["sw", x, y + height], ["se", x + width, y + height]]) {
        group.append(element("circle", { class: "corner", cx, cy, r: 5 * scale() }),
          element("circle", { class: `grip ${name}`, cx, cy, r: 12 * scale() }));
      }
    }
    svg.append(group);
    const tag = element("span", { class: `tag ${colourOf(box.label)}${selected}${y > 22 * scale() ? " above" : ""}` }, box.label);
    tag.style.left = percent(clamp(x, 0, task.width), task.width);
    tag.style.top = percent(y, task.height);
    tag.addEventListener("pointerdown", event => press(event, index));
    $("tags").append(tag);
  });
}

function showPicture() {
  $("picture").src = task.pictures[frame];
  $("picture").alt = `The film at ${secondsOf(frame).toFixed(1)} seconds`;
  const numbers = listed();
  const at = numbers.indexOf(frame);
  $("time").textContent = step === "when" ? `${secondsOf(frame).toFixed(1)} s of ${inSeconds(task.duration)}`
    : `frame ${at + 1} of ${numbers.length}, at ${secondsOf(frame).toFixed(1)} s`;
  $("back").disabled = at <= 0;
  $("on").disabled = at + 1 >= numbers.length;
  drawBoxes(step === "where" ? marks(frame).boxes : []);
}

/** The subtitles: all while the span is set, those around the frame while boxes are drawn. */
function showSubtitles() {
  const time = secondsOf(frame);
  const lines = task.sentences.filter(s => step === "when" || (s.start < time + 3 && s.end > time - 3)).map(s => {
    const now = s.start <= time + 0.5 && s.end >= time - 0.5;
    const line = element("button", { type: "button", class: `line ${now ? "now" : ""}` }, element("time", {}, `${s.start.toFixed(1)} s`), s.text);
    line.addEventListener("click", () => goTo(nearest(listed(), s.start)));
    return line;
  });
  const said = $("said");
  said.hidden = !lines.length;
  renew(said, lines);
  const line = lines.find(l => l.classList.contains("now"));
  if (line) said.scrollTop = line.offsetTop - said.clientHeight / 2;
}

function showSpan() {
  const [start, end] = spanShown();
  const given = question().span, { replaced } = workOn();
  for (const [name, time] of [["start", start], ["end", end]]) if (!unfinished.has(name)) $(name).value = tenth(time);
  const beyond = exceeds(given, task.duration) ? ` It reaches beyond the film of ${inSeconds(task.duration)}.` : "";
  $("given").textContent = given ? `Original span: ${spanText(given)} (dashed).${beyond}` : "There is no original span.";
  $("as-given").hidden = !given;
  $("replaced").hidden = !replaced;
  if (replaced) $("replaced-text").textContent = replacedText(replaced, workOn());
  $("own-span").hidden = !replaced || isSame(replaced.span, workOn().span);
  const place = (id, from, to) => {
    $(id).style.left = percent(from, task.duration);
    $(id).style.width = percent(Math.max(0, to - from), task.duration);
  };
  place("span", start, end);
  $("given-span").hidden = !given;
  if (given) place("given-span", clamp(given[0], 0, task.duration), clamp(given[1], 0, task.duration));
  $("head").style.left = percent(secondsOf(frame), task.duration);
  for (const [id, time] of [["handle-start", start], ["handle-end", end]]) {
    $(id).style.left = percent(time, task.duration);
    for (const [name, value] of [["valuemin", 0], ["valuemax", task.duration], ["valuenow", tenth(time)], ["valuetext", `${tenth(time)} seconds`]])
      $(id).setAttribute(`aria-${name}`, value);
  }
}

const thumbs = {};  // made once: decoding all of them for each change would be slow

function showStrip() {
  const [start, end] = spanShown();
  const given = question().span;
  const inside = (span, time) => span && span[0] <= time && time <= span[1];
  const items = listed().map(number => {
    const time = secondsOf(number);
    const link = element("a", { href: "#work", "aria-current": number === frame, tabindex: number === frame ? 0 : -1 },
      thumbs[number] ||= element("img", { class: "thumb", src: task.pictures[number], alt: "", draggable: "false" }),
      element("span", { class: "under" }, `${time.toFixed(1)} s`, step === "where" ? dots(number) : ""));
    link.addEventListener("click", event => { event.preventDefault(); goTo(number); });
    const lit = step === "when" ? inside([start, end], time) : frameDone(number);
    const was = step === "when" && inside(given, time);
    return element("li", { class: `${lit ? "lit" : ""} ${was ? "true" : ""}` }, link);
  });
  const strip = $("strip"), kept = strip.scrollLeft;
  renew(strip, items);
  const item = items[listed().indexOf(frame)];
  strip.scrollLeft = kept;
  if (item && (item.offsetLeft < kept || item.offsetLeft + item.offsetWidth > kept + strip.clientWidth))
    strip.scrollLeft = item.offsetLeft - (strip.clientWidth - item.offsetWidth) / 2;
}

function dots(number) {
  return element("span", { class: "dots" }, ...question().concepts.map(c => {
    const state = marks(number).absent.includes(c.label) ? "absent" : isMarked(number, c.label) ? "" : "open";
    return element("i", { class: `c${c.colour} ${state}` });
  }));
}

function showConcepts() {
  const { boxes, absent } = marks(frame);
  renew($("concepts"), question().concepts.map((c, i) => {
    const count = boxes.filter(box => box.label === c.label).length;
    const gone = absent.includes(c.label);
    const state = gone ? "" : count ? `${count} box${count > 1 ? "es" : ""}` : "to do";
    const choice = element("button", { type: "button", class: "pick", "aria-pressed": i === concept },
      element("span", { class: "missing" }, i < 9 ? String(i + 1) : ""), element("span", { class: "name" }, c.label), element("span", { class: "state" }, state));
    choice.addEventListener("click", () => { chosen = null; pick(i, true); show(); });
    const toggle = element("button", { type: "button", class: "absent", "aria-pressed": gone }, "not visible", i === concept ? element("kbd", {}, "X") : "");
    toggle.addEventListener("click", () => toggleAbsent(c.label));
    return element("li", { class: `c${c.colour}` }, choice, toggle);
  }));
  const all = frameDone(frame);
  document.body.classList.toggle("placing", isDrawing());
  $("to-do").textContent = whatToDo(all, boxes.length);
  $("copy").disabled = before() === undefined || all;
  $("undo").disabled = !past.length;
  $("delete").disabled = chosen === null;
  const { label, act } = following();
  $("forward").replaceChildren(label, " ", element("kbd", {}, "Enter"));
  $("forward").disabled = !act;
  $("forward").classList.toggle("quiet", !all);
}

function whatToDo(all, boxes) {
  if (!current()) return "This question mentions nothing visible: no boxes are needed.";
  if (isDrawing()) {
    const another = isMarked(frame, current().label) ? "another" : "a tight";
    return `Drag ${another} box around “${current().label}”, or mark it as not visible here.${boxes ? " Tap a box to change it." : ""}`;
  }
  const adjust = chosen === null ? "Tap a box to change it" : "Drag the selected box by its label to move it, by a corner to resize it";
  if (all) return `This frame is finished. ${adjust}; select a word to draw another box of it.`;
  return `${adjust}. Drag elsewhere to draw “${wanted().label}”.`;
}

function showIndex() {
  renew($("index"), task.questions.map((q, i) => {
    const numbers = framesToMark(q);
    const ready = numbers.filter(number => frameDone(number, q)).length;
    const state = questionDone(q) ? "done" : workOn(q).confirmed ? `${ready} of ${counted(numbers.length, "frame")}`
      : workOn(q).replaced ? "check again" : "to do";
    const link = element("a", { href: "#work", "aria-current": i === at },
      element("span", { class: "number" }, String(i + 1)), element("span", { class: "asked" }, q.question),
      element("span", { class: `state ${state}` }, state));
    link.addEventListener("click", event => { event.preventDefault(); ask(i); });
    return element("li", {}, link);
  }));
  const count = task.questions.filter(questionDone).length;
  $("progress").textContent = `${count} of ${task.questions.length} done`;
}

const otherWork = findOtherWork();

/** What the annotator should know before the work: changed questions, and work that this page can't show. */
function showNotice() {
  const again = task.questions.filter(q => workOn(q).replaced).length;
  const notices = [
    again ? `${counted(again, "question")} changed since you worked here: check ${again === 1 ? "it" : "them"} again.` : "",
    otherWork ? "This browser also has work on a clip of this name in another length or size, or from an earlier version of this page; it is not shown here." : "",
  ].filter(Boolean);
  $("notice").hidden = !notices.length;
  $("notice").replaceChildren(...notices.map(text => element("li", {}, text)));
}

function show() {
  if (!listed().includes(frame)) frame = nearest(listed(), secondsOf(frame));
  document.body.classList.toggle("drawing", step === "where");
  const q = question();
  $("number").textContent = `Question ${at + 1} of ${task.questions.length}`;
  $("question").textContent = q.question;
  $("answer").textContent = q.answer;
  $("when").setAttribute("aria-pressed", step === "when");
  $("where").setAttribute("aria-pressed", step === "where");
  $("when-panel").hidden = step !== "when";
  $("where-panel").hidden = step !== "where";
  $("previous").disabled = at === 0;
  $("next").disabled = at + 1 === task.questions.length;
  showNotice();
  showIndex();
  showPicture();
  showSubtitles();
  showSpan();
  showStrip();
  showConcepts();
}
