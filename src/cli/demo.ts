export async function demo(_count: number): Promise<void> {
  await Promise.resolve()
}
