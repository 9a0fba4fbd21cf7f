// Loaded before a function's bundle: writes to its log what its process has computed for, in milliseconds by the line of
// the bundle that the function stands in on whose behalf it was.
const { Session } = require("node:inspector");

const session = new Session();
session.connect();
session.post("Profiler.enable");
session.post("Profiler.start");
const spent = { pid: process.pid };

const add = ({ nodes, samples, timeDeltas }) => {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const nameOf = (id) => {
    const { functionName } = byId.get(id).callFrame;
    if (functionName.startsWith("(")) return functionName;
    for (let at = id; at !== undefined; at = parents.get(at)) {
      const { url, lineNumber } = byId.get(at).callFrame;
      if (url.endsWith("/index.cjs")) return String(lineNumber);
    }
    return "node";
  };
  for (const [place, id] of samples.entries()) {
    const name = nameOf(id);
    spent[name] = (spent[name] ?? 0) + timeDeltas[place] / 1000;
  }
};

setInterval(() => {
  session.post("Profiler.stop", (error, result) => {
    session.post("Profiler.start");
    if (!error) add(result.profile);
    process.stdout.write(`${JSON.stringify({ profile: spent })}\n`);
  });
}, 500).unref();
