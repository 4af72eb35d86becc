export async function verifyCommand(): Promise<void> {
  await Promise.resolve()
}
