// Loaded before a function's bundle: writes to its log what its process uses, in bytes and milliseconds.
const most = { heap: 0, resident: 0 };

setInterval(() => {
  const { heapUsed, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  most.heap = Math.max(most.heap, heapUsed);
  most.resident = Math.max(most.resident, rss);
  process.stdout.write(`${JSON.stringify({ probe: { pid: process.pid, ...most, cpu: (user + system) / 1000 } })}\n`);
}, 50).unref();
