const json = /(^|,)\s*(application\/json|application\/\*|\*\/\*)\s*(;|,|$)/i;
const eventStream = /(^|,)\s*(text\/event-stream|text\/\*|\*\/\*)\s*(;|,|$)/i;

/** True when the agent takes both kinds of answer: a POST may get either (2025-11-25, basic/transports, "Sending Messages"). */
export function acceptsBoth(accept: string | undefined): boolean {
  if (accept === 'application/json, text/event-stream') return true;
  return accept !== undefined && json.test(accept) && eventStream.test(accept);
}

export function acceptsEventStream(accept: string | undefined): boolean {
  return accept !== undefined && eventStream.test(accept);
}
