import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './api.ts'
import { patienceMs } from './patience.ts'

export interface StubbornClient {
  get: (path: string) => Promise<Answer>
  post: (path: string, body: unknown) => Promise<Answer>
}

/**
 * A client as every client should be: a request that was not answered, or answered with 5xx, is sent again as it is,
 * until it has an answer. `where` says where the API is at this moment, if it is anywhere.
 */
export function createStubbornClient(where: () => string | undefined): StubbornClient {
  async function askUntilAnswered(path: string, init: RequestInit): Promise<Answer> {
    const deadline = performance.now() + patienceMs
    let cause: unknown
    while (performance.now() < deadline) {
      const url = where()
      if (url !== undefined) {
        const answer = await askOnce(url + path, { ...init, signal: AbortSignal.timeout(3_000) })
        if (!(answer instanceof Error) && answer.status < 500) return answer
        cause = answer
      }
      await sleep(20)
    }
    throw new Error(`no answer to ${path} within ${patienceMs} ms`, { cause })
  }

  return {
    get: (path) => askUntilAnswered(path, {}),
    post: (path, body) =>
      askUntilAnswered(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
  }
}

/** One try; what went wrong on the way is returned. */
export async function askOnce(url: string, init: RequestInit): Promise<Answer | Error> {
  try {
    const response = await fetch(url, init)
    return { status: response.status, headers: response.headers, body: await response.json() }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
