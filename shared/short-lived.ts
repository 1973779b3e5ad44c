// V8's Map and Set grow by copying into a new table, and the old table keeps a pointer to the new one. Where entries come and go with every call, one
// table that outlived two minor collections so keeps every later table, and with it every call that has ended since, until a major collection:
// in the ingress a quarter of all that calls allocate was kept that way, 3 % with these. What holds calls therefore lets go of each value itself.

interface Slot<V> {
  value: V | undefined;
}

/** A Map of what lives for a call: a removed value is garbage at once, whatever became of the table that held it. */
export class ShortLivedMap<K extends string | number, V extends NonNullable<unknown>> {
  private readonly slots = new Map<K, Slot<V>>();

  get size(): number {
    return this.slots.size;
  }

  get(key: K): V | undefined {
    return this.slots.get(key)?.value;
  }

  has(key: K): boolean {
    return this.slots.has(key);
  }

  set(key: K, value: V): this {
    const slot = this.slots.get(key);
    if (slot === undefined) this.slots.set(key, { value });
    else slot.value = value;
    return this;
  }

  /** False when it was not there. */
  delete(key: K): boolean {
    const slot = this.slots.get(key);
    if (slot === undefined) return false;
    slot.value = undefined;
    return this.slots.delete(key);
  }

  clear(): void {
    for (const slot of this.slots.values()) slot.value = undefined;
    this.slots.clear();
  }

  keys(): IterableIterator<K> {
    return this.slots.keys();
  }

  *values(): IterableIterator<V> {
    for (const { value } of this.slots.values()) if (value !== undefined) yield value;
  }
}

/** A member of a ShortLivedSet. */
export interface Membership {
  /** False when it was removed before. */
  remove(): boolean;
}

interface Link<T> {
  value: T | undefined;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;
}

/** A set of what lives for a call, in the order of arrival. Whoever adds a value keeps the membership and ends it. */
export class ShortLivedSet<T extends NonNullable<unknown>> {
  private first: Link<T> | undefined;
  private last: Link<T> | undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The one that is in it longest. */
  get oldest(): T | undefined {
    return this.first?.value;
  }

  add(value: T): Membership {
    const link: Link<T> = { value, previous: this.last, next: undefined };
    if (this.last === undefined) this.first = link;
    else this.last.next = link;
    this.last = link;
    this.count += 1;
    return { remove: () => this.unlink(link) };
  }

  /** As they are now: members may come and go while the values are walked. */
  values(): T[] {
    const values: T[] = [];
    for (let link = this.first; link?.value !== undefined; link = link.next) values.push(link.value);
    return values;
  }

  private unlink(link: Link<T>): boolean {
    if (link.value === undefined) return false;
    const { previous, next } = link;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    this.count -= 1;
    link.value = undefined;
    link.previous = undefined;
    link.next = undefined;
    return true;
  }
}
