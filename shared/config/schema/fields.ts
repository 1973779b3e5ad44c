import { z } from 'zod';
import { isCidr } from '../network.ts';

/** Kinds of values that several sections use. Messages never repeat a value: it may have come from the environment. */

export const positive = z.int().positive();
export const pattern = z.string().min(1);

/** A rate like `100/s` or `600/m`; see `tokensPerSecond`. */
export const rate = z
  .string()
  .regex(/^(?=.*[1-9].*\/)\d{1,9}(\.\d{1,9})?\/(s|m|h)$/, 'must be a number above 0 per s, m or h, such as 100/s');

export const addresses = z
  .array(z.string().refine(isCidr, 'must be an IP address or a range such as 10.0.0.0/8'))
  .default([]);

export const limitFields = {
  rate: rate.optional().describe('Calls per second, minute or hour: 100/s, 600/m'),
  burst: positive.optional().describe('Calls that may come at once before the rate counts'),
  concurrency: positive.optional().describe('Calls in flight at the same time'),
};

export const limits = z.strictObject(limitFields);

export const serverName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'a name is 1 to 40 of A-Z a-z 0-9 _ -, beginning with a letter or digit')
  .refine((name) => !name.includes('__'), 'a name may not hold "__", which separates server and tool');
