import { type Agent, closeAgents, openAgents } from './agent.ts';
import { type Answer, jsonText } from './answer.ts';
import type { Job, Order, Outcome } from './job.ts';
import { type Meter, startMeter } from './meter.ts';
import type { CallRequest } from './request.ts';

type JobOf<K extends Job['kind']> = Extract<Job, { kind: K }>;

/** Runs a closed loop: as many calls in flight as there are agents. */
export async function runClosed(job: JobOf<'closed'>, order: Order, onMeasuring: () => void): Promise<Outcome> {
  const agents = await openAgents(order.endpoint, order.era, job.agents);
  const meter = startMeter(job.window, onMeasuring);
  for (const agent of agents) {
    const call = agent.requests.call(job.work);
    const next = (): void => {
      if (meter.running) sendOne(agent, call, performance.now(), meter, next);
    };
    next();
  }
  const outcome = await meter.closed;
  closeAgents(agents);
  return outcome;
}

/** Runs an open loop: due calls start on idle agents, and wait when there is none. */
export async function runOpen(job: JobOf<'open'>, order: Order, onMeasuring: () => void): Promise<Outcome> {
  const agents = await openAgents(order.endpoint, order.era, job.agents);
  const idle = agents.map((agent) => ({ agent, call: agent.requests.call(job.work) }));
  const meter = startMeter(job.window, onMeasuring);
  const interval = 1000 / job.perSecond;
  let due = performance.now() + interval;

  const timer = setInterval(() => {
    const now = performance.now();
    while (due <= now) {
      const free = idle.pop();
      if (free === undefined) return;
      sendOne(free.agent, free.call, due, meter, () => idle.push(free));
      due += interval;
    }
  }, 1);

  const outcome = await meter.closed;
  clearInterval(timer);
  closeAgents(agents);
  return outcome;
}

function sendOne(agent: Agent, call: CallRequest, start: number, meter: Meter, then: () => void): void {
  const { bytes, id } = call.next();
  agent.connection.send(bytes, (answer) => {
    const milliseconds = performance.now() - start;
    if (answer instanceof Error) {
      // A broken connection sends no more; what it leaves unanswered shows as missing throughput and as this fault.
      meter.record(milliseconds, answer.message);
      return;
    }
    meter.record(milliseconds, call.fault(answer, id));
    then();
  });
}

/** Lists tools with one agent; each sample is a whole list, however many pages it has. */
export async function runList(job: JobOf<'list'>, order: Order, onMeasuring: () => void): Promise<Outcome> {
  const agents = await openAgents(order.endpoint, order.era, 1);
  const agent = agents[0]!;
  const meter = startMeter(job.window, onMeasuring);
  while (meter.running) await listOnce(agent, job.tools, meter);
  const outcome = await meter.closed;
  closeAgents(agents);
  return outcome;
}

async function listOnce(agent: Agent, expected: number, meter: Meter): Promise<void> {
  const pages: Answer[] = [];
  let cursor: string | undefined;
  const start = performance.now();
  do {
    const page = await agent.connection.ask(agent.requests.list(cursor));
    pages.push(page);
    cursor = cursorOf(page);
  } while (cursor !== undefined && pages.length < 100);
  const milliseconds = performance.now() - start;

  const found = pages.reduce((sum, page) => sum + toolsOf(page), 0);
  meter.record(milliseconds, found === expected ? undefined : `${found} tools instead of ${expected}`);
}

function cursorOf(page: Answer): string | undefined {
  const text = jsonText(page);
  // Only the ends are looked at: within the list itself the word would be part of a tool's definition.
  const ends = `${text.toString('latin1', 0, 2048)}${text.subarray(-2048).toString('latin1')}`;
  return /"nextCursor":"([^"]+)"/.exec(ends)?.[1];
}

function toolsOf(page: Answer): number {
  if (page.status !== 200) return 0;
  const message: { result?: { tools?: unknown[] } } = JSON.parse(jsonText(page).toString('utf8'));
  return message.result?.tools?.length ?? 0;
}

/** Sends one call per agent and leaves them waiting. */
export async function startHold(job: JobOf<'hold'>, order: Order, onAnswer: (fault: string) => void): Promise<Agent[]> {
  const agents = await openAgents(order.endpoint, order.era, job.agents);
  for (const agent of agents) {
    agent.connection.send(agent.requests.call(job.work).next().bytes, (answer) =>
      onAnswer(answer instanceof Error ? answer.message : `answered with HTTP ${answer.status}`),
    );
  }
  return agents;
}
