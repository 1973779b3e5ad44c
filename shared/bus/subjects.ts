import { createHash } from 'node:crypto';

/**
 * Every subject of the bus is spelled here. Names that come from outside (servers, tools, methods) are escaped, so that
 * a name can neither add a token, nor a wildcard, nor a protocol line.
 */

const maxTokenBytes = 120;
const plain = /^[A-Za-z0-9_-]{1,120}$/;

/**
 * One subject token for any name: `[A-Za-z0-9_-]` stays, every other UTF-8 byte becomes `=HH`, and what would be longer
 * than 120 bytes becomes `=h` and its SHA-256 (the control line of NATS ends at 4 KiB). Injective; the true name travels in the body.
 */
export function token(name: string): string {
  if (plain.test(name)) return name;
  if (name === '') return '=e';
  const escaped = Array.from(Buffer.from(name, 'utf8'), escapeByte).join('');
  if (escaped.length <= maxTokenBytes) return escaped;
  return `=h${createHash('sha256').update(name).digest('base64url')}`;
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return plain.test(character) ? character : `=${byte.toString(16).padStart(2, '0').toUpperCase()}`;
}

/** The subjects of one tenant. Shapes are those of DESIGN §3 D5. */
export interface Subjects {
  /** Offers of calls of one tool; workers of the server share it as a queue group. */
  tool(server: string, tool: string): string;
  /** Offers of calls of every tool. */
  tools(server: string): string;
  /** Offers of every other method, shared likewise. */
  rpc(server: string, method: string): string;
  /** Offers of every method but tools/call. */
  rpcs(server: string): string;
  /** Offers for one worker process. */
  instanceCall(server: string, instance: string): string;
  /** `go`, `cancel` and the like for one worker process. */
  instanceControl(server: string, instance: string): string;
  /** Frames for one call: `key` is the ingress' own. */
  reply(ingress: string, key: string): string;
  /** All frames for one ingress. */
  replies(ingress: string): string;
  /** Something happened at a server that concerns no single call: `resource_updated`, … */
  event(server: string, what: string): string;
  /** The same from every server. */
  events(what: string): string;
  /** What must reach the stream of one legacy session, wherever it is held. */
  session(id: string): string;
  /** Answers of agents to questions, for the ingress that asked. */
  answers(ingress: string): string;
  /** Events of one event stream of a legacy session. */
  streamLog(session: string, stream: string): string;
  /** Those of all. */
  readonly streamLogs: string;
  /** Questions of an ingress to whoever serves `id` for that purpose. */
  ask(kind: string, id: string): string;
  /** What ingresses tell each other of shared limits. */
  limits(): string;
  /** Packs of audit records by one writer. */
  audit(writer: string): string;
  /** Packs of all writers. */
  audits(): string;
  /** Signed heads of one writer's chain. */
  checkpoint(writer: string): string;
  /** Signed heads of all. */
  checkpoints(): string;
  /** The queue group of a server. */
  group(server: string): string;
}

/** Subjects under `tb.v1.<tenant>`. */
export function subjectsOf(tenant = 'default'): Subjects {
  const root = `tb.v1.${token(tenant)}`;
  return {
    tool: (server, tool) => `${root}.call.${token(server)}.tool.${token(tool)}`,
    tools: (server) => `${root}.call.${token(server)}.tool.*`,
    rpc: (server, method) => `${root}.call.${token(server)}.rpc.${token(method)}`,
    rpcs: (server) => `${root}.call.${token(server)}.rpc.*`,
    instanceCall: (server, instance) => `${root}.inst.${token(server)}.${token(instance)}.call`,
    instanceControl: (server, instance) => `${root}.inst.${token(server)}.${token(instance)}.ctl`,
    reply: (ingress, key) => `${root}.reply.${token(ingress)}.${key}`,
    replies: (ingress) => `${root}.reply.${token(ingress)}.*`,
    event: (server, what) => `${root}.evt.${token(server)}.${token(what)}`,
    events: (what) => `${root}.evt.*.${token(what)}`,
    session: (id) => `${root}.sess.${token(id)}.out`,
    limits: () => `${root}.limits`,
    answers: (ingress) => `${root}.ans.${token(ingress)}`,
    streamLog: (session, stream) => `${root}.sess.${token(session)}.log.${token(stream)}`,
    streamLogs: `${root}.sess.*.log.*`,
    ask: (kind, id) => `${root}.ask.${token(kind)}.${token(id)}`,
    audit: (writer) => `${root}.audit.${token(writer)}`,
    audits: () => `${root}.audit.*`,
    checkpoint: (writer) => `${root}.checkpoint.${token(writer)}`,
    checkpoints: () => `${root}.checkpoint.*`,
    group: (server) => token(server),
  };
}
