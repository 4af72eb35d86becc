import {
  context,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span
} from '@opentelemetry/api'
import { traceparent } from './traceparent.ts'

export type { Span }

export interface SpanOptions {
  /** The trace it belongs to; null: what no request began is a trace of its own. */
  trace_id: string | null | undefined
  /** Names of OpenTelemetry's semantic conventions, or `bulkhead.*`. Ids and counts, never names or IBANs. */
  attributes: Attributes
  kind?: keyof typeof SpanKind
  /** The span of the caller, from its `traceparent`. */
  caller?: { span_id: string; sampled: boolean }
}

/**
 * What makes spans, if an SDK was registered before this program was loaded (`node --import`). Else nothing is made at
 * all: the API's own tracer that does nothing cost a microsecond a span, some 4 % of what a transfer takes.
 */
const tracer = findTracer()
const noSpan = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)

function findTracer() {
  const found = trace.getTracer('bulkhead')
  // Only a real one gives a span an id; this span is never ended, so nobody is sent it.
  return isSpanContextValid(found.startSpan('probe', { root: true }).spanContext()) ? found : null
}

/** Begins a span that whoever asked for it ends. */
export function beginSpan(name: string, { kind = 'INTERNAL', attributes, ...of }: SpanOptions): Span {
  if (tracer === null) return noSpan
  return tracer.startSpan(name, { kind: SpanKind[kind], attributes }, parentOf(of))
}

/** Does work within a span, which ends with it and tells of its failure. What is traced within becomes its child. */
export async function withSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>
): Promise<T> {
  if (tracer === null) return work(noSpan)
  const span = beginSpan(name, options)
  try {
    return await within(span, () => work(span))
  } catch (error) {
    failSpan(span, error instanceof Error ? error.name : 'error')
    throw error
  } finally {
    span.end()
  }
}

/** Calls something so that what is traced in it becomes a child of the span. */
export function within<T>(span: Span, work: () => T): T {
  if (tracer === null) return work()
  return context.with(trace.setSpan(context.active(), span), work)
}

/** Marks a span as failed, by a cause of which there are few. */
export function failSpan(span: Span, cause: string): void {
  span.setAttribute('error.type', cause).setStatus({ code: SpanStatusCode.ERROR })
}

/** What is sent along with a call: the trace of the request, and the span of this call if there is one. */
export function traceparentOf(span: Span, traceId: string, spanId?: string): string {
  const { traceId: own, spanId: id, traceFlags } = span.spanContext()
  if (own !== traceId) return traceparent(traceId, spanId)
  return `00-${own}-${id}-${traceFlags.toString(16).padStart(2, '0')}`
}

/**
 * What is under way in this process, if it is of the same trace; else the caller's span. A bulk is stored with its
 * trace alone, so the spans of a worker hang below one that is named after the trace and that nobody ever sends.
 */
function parentOf({ trace_id, caller }: Pick<SpanOptions, 'trace_id' | 'caller'>): Context {
  const active = context.active()
  if (!trace_id || trace.getSpanContext(active)?.traceId === trace_id) return active
  return trace.setSpanContext(active, {
    traceId: trace_id,
    spanId: caller?.span_id ?? rootSpanId(trace_id),
    traceFlags: caller?.sampled === false ? TraceFlags.NONE : TraceFlags.SAMPLED,
    isRemote: true
  })
}

function rootSpanId(traceId: string): string {
  const id = traceId.slice(16)
  return /^0+$/.test(id) ? '0000000000000001' : id
}
