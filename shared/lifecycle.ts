/** Something that was started and can be stopped. */
export interface Service {
  close(): Promise<void>;
}

/** Closes services in reverse order of their start; one that fails does not keep the others from closing. */
export async function closeAll(
  services: readonly (Service | { close(): void })[],
  onError: (error: unknown) => void,
): Promise<void> {
  for (const service of [...services].reverse()) {
    try {
      await service.close();
    } catch (error) {
      onError(error);
    }
  }
}
