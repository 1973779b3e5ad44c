/** Member of `_meta` by which a replayed call names its run and the call it repeats: `{ run, of }`. */
export const replayMetaKey = 'toolbus/replay';
