import { createInterface } from 'node:readline';

// A process that outlives the benchmark by a moment: it reads `+PID` and `-PID` lines, and when its stdin closes (the
// benchmark is gone, even by SIGKILL) it ends the processes that are still on its list.
const alive = new Set<number>();
process.on('SIGINT', () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (!Number.isSafeInteger(pid) || pid <= 1) continue;
  if (line.startsWith('+')) alive.add(pid);
  else alive.delete(pid);
}
for (const pid of alive) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
