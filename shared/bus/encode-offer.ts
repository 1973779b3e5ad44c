import type { Call } from '../mcp/call.ts';
import type { AttemptOptions } from './attempt.ts';
import { encodeMessage } from './frames.ts';
import { busLimits } from './limits.ts';
import type { Subjects } from './subjects.ts';

export interface EncodedOffer {
  readonly subject: string;
  readonly message: Uint8Array;
  /** Params that are too large for one message; they follow the acceptance. */
  readonly body: Uint8Array;
}

const nothing = new Uint8Array(0);
/** A UTF-16 unit takes at most three bytes of UTF-8. */
const surelyInline = Math.floor(busLimits.inlineBytes / 3);

/** The offer of a call as it goes out, and where to. */
export function encodeOffer(
  call: Call,
  { instance, mayWait, waiting }: AttemptOptions,
  from: { readonly ingress: string; readonly key: string },
  subjects: Subjects,
): EncodedOffer {
  const subject = subjectOf(call, instance, subjects);
  const { key, ingress } = from;
  const offer = {
    k: 'offer',
    key,
    ingress,
    call: { ...call, params: undefined },
    wait: mayWait || undefined,
    waiting: waiting || undefined,
  } as const;
  const text = JSON.stringify(call.params);
  if (text.length <= surelyInline) return { subject, message: encodeMessage(offer, text), body: nothing };
  const body = Buffer.from(text, 'utf8');
  if (body.length <= busLimits.inlineBytes) return { subject, message: encodeMessage(offer, body), body: nothing };
  const parts = Math.ceil(body.length / busLimits.partBytes);
  return { subject, message: encodeMessage({ ...offer, parts }), body };
}

function subjectOf({ server, method, target }: Call, instance: string | undefined, subjects: Subjects): string {
  if (instance !== undefined) return subjects.instanceCall(server, instance);
  return method === 'tools/call' && target !== undefined ? subjects.tool(server, target) : subjects.rpc(server, method);
}
