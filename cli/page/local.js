// Whatever comes from the pipeline is written as text: it is data, never markup.
const key = location.hash.slice(1);
const everyMilliseconds = 2_000;
const types = { String: "text", Integral: "a whole number", Fractional: "a number" };
const byId = (id) => document.getElementById(id);

async function call(path, body = {}) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

/** An element with texts and elements in it. */
function element(name, content = [], properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...[content].flat());
  return made;
}

function table(head, rows) {
  const headers = head.map((title) => element("th", title, { scope: "col" }));
  const lines = rows.map((cells) =>
    element(
      "tr",
      cells.map((cell) => element("td", cell)),
    ),
  );
  return element("table", [element("thead", element("tr", headers)), element("tbody", lines)]);
}

const shown = new Map();
/** Draws a part of the page where it is not what is there already, so that a focus and a selection stay. */
function draw(id, state, contentOf) {
  const text = JSON.stringify(state);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  byId(id).replaceChildren(...[contentOf(state)].flat());
}

function drawAll(state) {
  const { parts, attention, jobs, openJobs, failures, staged, features, featureGroup } = state;
  draw("environment", state.environment, (name) => `${name}, on this machine`);
  const lookedUp = featureGroup === undefined ? "each request carries them" : `in ${featureGroup}`;
  const boxes = {
    ...parts,
    api: [openJobs === 0 ? "no job is open" : openJobs === 1 ? "1 job is open" : `${openJobs} jobs are open`],
    answers: [staged === 1 ? "1 object waits to be loaded" : `${staged} objects wait to be loaded`],
    loader: ["every minute, and when somebody waits"],
    warehouse: [...(parts.predictions ?? []), ...parts.warehouse],
    features: [lookedUp],
  };
  for (const box of document.querySelectorAll("[data-box]")) {
    const text = (boxes[box.dataset.box] ?? []).join("\n");
    const lines = box.querySelector("p");
    if (lines.textContent !== text) lines.textContent = text;
  }
  draw("attention", attention, (all) =>
    all.map(({ text, mark, mend }) => {
      const said = element("strong", `${text} `, { className: mark === "problem" ? "bad" : "warn" });
      return element("li", mend ? [said, element("code", mend)] : said);
    }),
  );
  draw("features", features, fieldsOf);
  const hint = featureGroup && `Without any feature, those that ${featureGroup} has of this id are looked up.`;
  draw("hint", hint ?? "", (text) => text);
  draw("jobs", jobs, (all) =>
    all.length === 0
      ? element("p", "There is no job yet.")
      : table(
          ["job", "state", "rows", "created"],
          all.map(({ id, state, rows, createdAt }) => [id, state, rows, new Date(createdAt).toLocaleString()]),
        ),
  );
  draw("failures", failures, (all) =>
    all.length === 0
      ? element("p", "There is no dead letter.")
      : table(["count", "why", "ids", ""], all.map(failureRow)),
  );
  draw("calls", state.calls, (all) => all.flatMap(copied));
}

function fieldsOf(features) {
  return features.map(({ name, type, optional }) => {
    const note = element("small", ` ${types[type]}${optional ? ", optional" : ""}`);
    const field =
      type === "String" ? element("textarea", [], { rows: 1 }) : element("input", [], { inputMode: "decimal" });
    field.dataset.feature = name;
    return element("label", [name, note, field]);
  });
}

const failureRow = ({ code, rule, count, ids, advice }) => {
  const why = [
    element("strong", code),
    element("div", rule),
    ...advice.map((line) => element("div", element("code", line))),
  ];
  const button = element("button", "Redrive", {
    title: `Sends ${count} back to the queue`,
    onclick: () => redrive(rule),
  });
  button.setAttribute("aria-label", `Redrive ${count} of ${code}`);
  return [String(count), why, ids.join(" "), button];
};

async function redrive(rule) {
  byId("redriven").textContent = "They are being sent back …";
  try {
    const after = new Date().toISOString();
    const { said } = await call("redrive", { rule });
    byId("redriven").textContent = said.join(" ");
    if (asked?.hasFailed) follow({ ...asked, after });
  } catch (error) {
    byId("redriven").textContent = error.message;
  }
  look();
}

const copied = ({ with: program, text }) => {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    byId("copied").textContent = `Copied: ${program}`;
  };
  const button = element("button", "Copy", { type: "button", onclick: copy });
  button.setAttribute("aria-label", `Copy: ${program}`);
  return [element("div", [element("h3", program), button], { className: "call" }), element("pre", text)];
};

/** The request that is followed. */
let asked;
const places = {
  queue: "is in the queue",
  worker: "is with the worker, or comes to it again later",
  answers: "has its outcome, which waits to be loaded",
  warehouse: "has its row in the warehouse",
};

function showPlace(at, text) {
  for (const box of document.querySelectorAll("[data-box]")) {
    if (box.dataset.box === at) box.setAttribute("aria-current", "step");
    else box.removeAttribute("aria-current");
  }
  if (byId("followed").textContent !== text) byId("followed").textContent = text;
}

function showOutcome(text) {
  byId("outcome").hidden = text === undefined;
  byId("outcome").textContent = text ?? "";
}

/** Follows a request until it has a row, or another one is asked. */
async function follow(request) {
  asked = request;
  showOutcome();
  while (asked === request) {
    const { id, requestId, after } = request;
    const found = await call("follow", { id, requestId, after }).catch((error) => ({ error: error.message }));
    if (asked !== request) return;
    if (found.error) byId("followed").textContent = found.error;
    else showPlace(found.at, `The request for ${id} ${places[found.at]}${found.status ? `: ${found.status}` : ""}.`);
    if (found.status) {
      request.hasFailed = found.status === "failed";
      showOutcome(request.hasFailed ? `${found.code}: ${found.reason}` : found.output);
      look();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = byId("form").elements.id.value;
  const fields = [...document.querySelectorAll("[data-feature]")].filter(({ value }) => value !== "");
  const features = Object.fromEntries(fields.map(({ dataset, value }) => [dataset.feature, value]));
  try {
    const { requestId } = await call("ask", { id, ...(fields.length > 0 && { features }) });
    await follow({ id, requestId });
  } catch (error) {
    asked = undefined;
    showPlace("api", error.message);
    showOutcome();
  }
});

let looking = false;
async function look() {
  if (looking || document.hidden) return;
  looking = true;
  try {
    drawAll(await call("state"));
    byId("trouble").textContent = "";
  } catch (error) {
    byId("trouble").textContent = `Nothing is known now: ${error.message}`;
  } finally {
    looking = false;
  }
}
look();
setInterval(look, everyMilliseconds);
document.addEventListener("visibilitychange", look);
