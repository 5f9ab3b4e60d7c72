// Saving

/** What a file saved now leaves out: for each unfinished question its index and why. */
function leftOut() {
  return task.questions.map((q, index) => {
    if (!workOn(q).confirmed) return { index, why: workOn(q).replaced ? "left out: it was changed, and its span must be confirmed again" : "left out: its span is not confirmed" };
    const numbers = framesToMark(q), open = numbers.filter(number => !frameDone(number, q)).length;
    return { index, why: open ? `left out: ${open} of ${counted(numbers.length, "frame")}, unfinished` : "" };
  }).filter(({ why }) => why);
}

const savedQuestions = () => task.questions.filter(q => workOn(q).confirmed);

/** Save at once if all is done; otherwise say first what is missing. */
function save() {
  rereadAll();
  show();
  const missing = leftOut();
  if (!missing.length) return download();
  const inFile = savedQuestions().length;
  $("missing-summary").textContent = inFile
    ? `The file will contain ${inFile} of ${counted(task.questions.length, "question")}. You can save again later.`
    : "There is nothing to save yet: confirm the span of a question first.";
  $("missing").replaceChildren(...missing.map(({ index, why }) => {
    const link = element("button", { type: "button" }, `Question ${index + 1}: ${task.questions[index].question}`);
    link.addEventListener("click", () => { $("unfinished").close(); ask(index); });
    return element("li", {}, link, element("span", { class: "missing" }, why));
  }));
  $("save-anyway").hidden = !inFile;
  $("unfinished").showModal();
}

function saveAnyway() {
  $("unfinished").close();
  download();
}

function download() {
  const questions = savedQuestions().map(q => ({
    qid: q.qid,
    question: q.question,
    answer: q.answer,
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
  const unfinished = leftOut().length;
  report(`saved: ${link.download}${unfinished ? `, ${counted(unfinished, "question")} unfinished` : ""}`);
}
