import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { createAnnouncer } from '../../shared/bus/announcer.ts';
import { openWorkerBuckets } from '../../shared/bus/buckets.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { type Control, decodeMessage, encodeMessage, type Frame, type Offer } from '../../shared/bus/frames.ts';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import type { InstanceStatus, Manifest } from '../../shared/mcp/manifest.ts';

/** One offer, and the line back to the ingress that made it. */
export interface Offered {
  /** `arguments.id` of the call. */
  readonly id: string;
  send(frame: Frame, body?: string): void;
  /** Bytes that are no frame. */
  sendRaw(bytes: string): void;
  /** Resolves when the ingress says `go`. */
  readonly go: Promise<void>;
}

export interface FakeWorker {
  readonly instance: string;
  /** Controls that came, in order. */
  readonly controls: readonly Control['k'][];
  [Symbol.asyncDispose](): Promise<void>;
}

/** A process that speaks the bus protocol as badly as a test wants, announced as a worker of `server` with the tool `run`. */
export async function startFakeWorker(
  url: string,
  server: string,
  onOffer: (offered: Offered) => void,
): Promise<FakeWorker> {
  const log = pino({ level: 'silent' });
  const nc = await connectBus({ url, name: `fake worker ${server}`, log });
  const subjects = subjectsOf();
  const instance = 'fakeworker';
  const manifest = manifestOf(server);
  const announcer = createAnnouncer(await openWorkerBuckets(nc, 'default'), () => statusOf(manifest, instance), log);
  await announcer.publish(manifest);
  announcer.beat();

  const waiting = new Map<string, () => void>();
  const controls: Control['k'][] = [];
  /** What it says too late may come after the test. */
  const publish = (subject: string, bytes: Uint8Array | string) => {
    if (!nc.isClosed()) nc.publish(subject, bytes);
  };
  const decode = (bytes: Uint8Array) => decodeMessage(bytes) ?? { head: undefined, body: new Uint8Array() };
  nc.subscribe(subjects.instanceControl(server, instance), {
    callback(_error, message) {
      const control = decode(message.data).head as Control;
      controls.push(control.k);
      if (control.k === 'go') waiting.get(control.key)?.();
    },
  });
  nc.subscribe(subjects.instanceCall(server, instance), {
    callback(_error, message) {
      const { head, body } = decode(message.data);
      const offer = head as Offer;
      const reply = message.reply ?? '';
      const params = JSON.parse(Buffer.from(body).toString('utf8')) as { arguments: { id: string } };
      onOffer({
        id: params.arguments.id,
        send: (frame, text = '') => publish(reply, encodeMessage(frame, text)),
        sendRaw: (bytes) => publish(reply, bytes),
        go: new Promise((resolve) => waiting.set(offer.key, resolve)),
      });
    },
  });
  await nc.flush();
  return {
    instance,
    controls,
    async [Symbol.asyncDispose]() {
      await announcer.close();
      await nc.close();
    },
  };
}

function manifestOf(server: string): Manifest {
  const rest = {
    server,
    eras: ['legacy'],
    protocolVersion: '2025-11-25',
    serverInfo: { name: server, version: '1.0.0' },
    capabilities: { tools: {} },
    tools: [{ name: 'run', inputSchema: { type: 'object' } }],
    prompts: [],
    resources: [],
    resourceTemplates: [],
  } as const satisfies Omit<Manifest, 'hash'>;
  return { ...rest, hash: createHash('sha256').update(JSON.stringify(rest)).digest('hex') };
}

function statusOf(manifest: Manifest, instance: string): InstanceStatus {
  return {
    server: manifest.server,
    instance,
    state: 'ready',
    manifest: manifest.hash,
    tools: manifest.tools.length,
    concurrency: 8,
    inFlight: 0,
    breaker: 'closed',
    eras: manifest.eras,
    transport: 'stdio',
    restarts: 0,
    pid: process.pid,
    host: 'localhost',
    version: '0',
    startedAt: 0,
  };
}
