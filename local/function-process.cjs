// What Lambda's runtime does for a function: loads its bundle and calls the handler, one event at a time.
// local/lambda.ts starts it with the bundle's path, and sends { event, context, deadline } for every invocation.
const { handler } = require(process.argv[2]);

process.once("disconnect", () => process.exit());

process.on("message", async ({ event, context, deadline }) => {
  const getRemainingTimeInMillis = () => Math.max(0, deadline - Date.now());
  try {
    const result = await handler(event, { ...context, getRemainingTimeInMillis });
    process.send({ result: result === undefined ? null : result });
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    console.error(stack);
    process.send({ error: { errorType: name, errorMessage: message } });
  }
});

process.send({ ready: true });
