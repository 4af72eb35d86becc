import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import * as api from '@opentelemetry/api'

/** A span as this writes it: one JSON line on standard output when it ends. */
export interface RecordedSpan {
  span: string
  kind: string
  trace_id: string
  span_id: string
  parent_id: string | null
  attributes: api.Attributes
  failed: boolean
}

/**
 * The least that can be registered with OpenTelemetry's API, for `node --import`: what an SDK does, without a package
 * to install.
 */
class Recorder implements api.Tracer {
  startSpan(name: string, options: api.SpanOptions = {}, within = api.context.active()): api.Span {
    const parent = api.trace.getSpanContext(within)
    const own: api.SpanContext = {
      traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
      spanId: randomBytes(8).toString('hex'),
      traceFlags: parent?.traceFlags ?? api.TraceFlags.SAMPLED
    }
    const recorded: RecordedSpan = {
      span: name,
      kind: api.SpanKind[options.kind ?? api.SpanKind.INTERNAL],
      trace_id: own.traceId,
      span_id: own.spanId,
      parent_id: parent?.spanId ?? null,
      attributes: { ...options.attributes },
      failed: false
    }
    const span = {
      spanContext: () => own,
      isRecording: () => true,
      setAttribute(key: string, value: string | number) {
        recorded.attributes[key] = value
        return span
      },
      setStatus({ code }: api.SpanStatus) {
        recorded.failed = code === api.SpanStatusCode.ERROR
        return span
      },
      end: () => void process.stdout.write(`${JSON.stringify(recorded)}\n`)
    }
    // The rest of the interface is not used.
    return span as unknown as api.Span
  }

  startActiveSpan(): never {
    throw new Error('not used')
  }
}

const storage = new AsyncLocalStorage<api.Context>()
const manager = {
  active: () => storage.getStore() ?? api.ROOT_CONTEXT,
  with: (context: api.Context, work: () => unknown) => storage.run(context, work)
}

api.context.setGlobalContextManager(manager as unknown as api.ContextManager)
api.trace.setGlobalTracerProvider({ getTracer: () => new Recorder() })
