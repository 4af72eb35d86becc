/**
 * Answers equal questions that come at one time with few calls: those that come while one is under way share the next.
 * So there are never more than two, and every answer comes of a call that began after its question was asked.
 */
export function shareCalls<Answer>(
  ask: (question: string) => Promise<Answer>
): (question: string) => Promise<Answer> {
  const calls = new Map<string, { running: Promise<Answer>; next?: Promise<Answer> }>()
  const begin = (question: string): Promise<Answer> => {
    const call = { running: ask(question) }
    calls.set(question, call)
    const end = (): void => {
      if (calls.get(question) === call) calls.delete(question)
    }
    call.running.then(end, end)
    return call.running
  }
  return (question) => {
    const call = calls.get(question)
    if (call === undefined) return begin(question)
    const again = (): Promise<Answer> => begin(question)
    return (call.next ??= call.running.then(again, again))
  }
}
