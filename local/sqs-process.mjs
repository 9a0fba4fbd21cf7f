// Runs fauxqs for local/sqs.ts, on loopback alone: its own startFauxqs listens on every interface.
import { buildApp } from "fauxqs";

const app = buildApp({ logger: false });

process.once("disconnect", () => process.exit()); // it keeps nothing

try {
  await app.listen({ port: 0, host: "127.0.0.1" });
  process.send({ port: app.server.address().port });
} catch (error) {
  process.send({ error: String(error) });
  process.disconnect();
}
