import { type Head, link, noRecords } from '../../../shared/audit/chain.ts';
import { encodePack, type PackHeader } from '../../../shared/audit/pack.ts';
import { recordVersion } from '../../../shared/audit/record.ts';
import type { AuditPublisher, PublishAck } from '../../../shared/bus/audit-publisher.ts';

/** An entry on its way into the stream. */
export interface Item {
  /** JSON text of the entry. */
  readonly json: string;
  /** `performance.now()` when it was handed over. */
  readonly since: number;
  /** Nobody waits for it any more. It may be in the stream all the same, and `onStored` still tells. */
  givenUp: boolean;
  /** It is in the stream. */
  onStored(): void;
  /** It is not: either NATS said so, or nothing is known and nobody shall wait longer. Called at most once, before any `onStored`. */
  onGivenUp(isDoubtful: boolean): void;
}

/** An item that is handed over now. */
export function itemOf(json: string, onStored: () => void, onGivenUp: (isDoubtful: boolean) => void): Item {
  return { json, since: performance.now(), givenUp: false, onStored, onGivenUp };
}

export interface GroupCommitOptions {
  readonly writer: string;
  readonly subject: string;
  readonly publisher: AuditPublisher;
  /** The stream took a pack. */
  onStored(streamSeq: number, records: number, tookMs: number): void;
  /** NATS refused a pack. */
  onRefused(ack: Exclude<PublishAck, { kind: 'stored' }>): void;
}

interface Flight {
  readonly items: readonly Item[];
  readonly header: PackHeader;
  readonly payload: string;
  readonly id: string;
  readonly next: Head;
  readonly sentAt: number;
  /** Silence after it was sent means that it may be stored. */
  sent: boolean;
}

/** More makes a message no cheaper per record, and a failure larger. */
const maxRecords = 256;
const maxBytes = 512 * 1024;
/** Header line, NATS headers. */
const overheadBytes = 2_048;
/** Beyond it the caller is told no at once. Agents' calls are limited before; this bounds refusals and events. */
const maxQueued = 20_000;

/**
 * Packs records into messages of one writer's chain. One message is on its way at a time, and what comes meanwhile goes into the next: alone, a record
 * waits for nobody; under load, the messages grow instead of their number.
 */
export interface GroupCommit {
  /** False when too many wait. */
  push(item: Item): boolean;
  /** Sends these alone, ahead of all others, whatever waits. Only while nothing is on its way. */
  sendAlone(items: readonly Item[]): boolean;
  /** Sends nothing new until `resume`. */
  pause(): void;
  resume(): void;
  /** Nobody waits any longer for what waits or is on its way; what is on its way stays there until its fate is known. */
  giveUp(): void;
  /** When the oldest record that somebody waits for was handed over. */
  readonly oldest: number | undefined;
  /** The pack whose fate is unknown. */
  readonly flight: PackHeader | undefined;
  /** The pack on its way is known to be stored. */
  confirm(): void;
  /** Publishes the pack on its way once more; JetStream recognises it. */
  again(): void;
  /** Head of what is known to be stored. */
  readonly head: Head;
  readonly waiting: number;
}

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { writer, subject, publisher, onStored, onRefused } = options;
  let queue: Item[] = [];
  let flight: Flight | undefined;
  let head = noRecords;
  let paused = true;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || paused || flight !== undefined) return;
    scheduled = true;
    // What the same turn of the event loop still brings goes along. The calls of that turn are offered first: a worker needs longer than the stream.
    process.nextTick(() =>
      setImmediate(() => {
        scheduled = false;
        flush();
      }),
    );
  }

  function flush(): void {
    if (paused || flight !== undefined || queue.length === 0) return;
    const room = Math.min(maxBytes, publisher.maxPayload - overheadBytes);
    let count = 0;
    for (let bytes = 0; count < queue.length && count < maxRecords; count += 1) {
      // Three bytes for a character of UTF-16 at most.
      bytes += (queue[count]?.json.length ?? 0) * 3 + 160;
      if (bytes > room && count > 0) break;
    }
    const items = queue.slice(0, count);
    queue = count === queue.length ? [] : queue.slice(count);
    send(items);
  }

  function send(items: readonly Item[]): void {
    const { lines, head: next } = link(
      items.map(({ json }) => json),
      writer,
      head,
    );
    const header: PackHeader = {
      v: recordVersion,
      writer,
      seq: head.seq + 1,
      count: items.length,
      prev: head.hash,
      hash: next.hash,
    };
    flight = {
      items,
      header,
      payload: encodePack(header, lines),
      // A pack that was refused leaves its place to another one, which must not be taken for it.
      id: `${writer}:${header.seq}:${next.hash.slice(0, 16)}`,
      next,
      sentAt: performance.now(),
      sent: false,
    };
    publish(flight);
  }

  function publish(pack: Flight): void {
    const forget = publisher.publish(subject, pack.payload, { id: pack.id }, (ack) => onAck(pack, ack));
    if (forget !== undefined) pack.sent = true;
    // It has never left this process, so nothing of it is stored.
    else if (!pack.sent) onAck(pack, { kind: 'refused', code: 0, description: 'NATS is not reachable' });
  }

  function onAck(pack: Flight, ack: PublishAck): void {
    if (flight !== pack) return;
    flight = undefined;
    if (ack.kind === 'stored') {
      head = pack.next;
      for (const item of pack.items) item.onStored();
      onStored(ack.seq, pack.items.length, performance.now() - pack.sentAt);
      schedule();
      return;
    }
    for (const item of pack.items) drop(item, false);
    onRefused(ack);
  }

  function drop(item: Item, isDoubtful: boolean): void {
    if (item.givenUp) return;
    item.givenUp = true;
    item.onGivenUp(isDoubtful);
  }

  return {
    push(item) {
      if (queue.length >= maxQueued) return false;
      queue.push(item);
      schedule();
      return true;
    },
    sendAlone(items) {
      if (flight !== undefined) return false;
      send(items);
      return true;
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      schedule();
    },
    giveUp() {
      for (const item of flight?.items ?? []) drop(item, true);
      const dropped = queue;
      queue = [];
      for (const item of dropped) drop(item, false);
    },
    get oldest() {
      return (flight?.items.find(({ givenUp }) => !givenUp) ?? queue[0])?.since;
    },
    get flight() {
      return flight?.header;
    },
    confirm() {
      if (flight !== undefined) onAck(flight, { kind: 'stored', seq: Number.POSITIVE_INFINITY, duplicate: true });
    },
    again() {
      if (flight !== undefined) publish(flight);
    },
    get head() {
      return head;
    },
    get waiting() {
      return queue.length + (flight?.items.length ?? 0);
    },
  };
}
