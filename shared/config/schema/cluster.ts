import { z } from 'zod';

export const cluster = z
  .strictObject({
    secret: z
      .string()
      .default('')
      .describe('Shared by ingresses and workers; empty: the first process mints one and keeps it in NATS'),
  })
  .prefault({})
  .describe('What the processes of one toolbus share');
