import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  knownAddresses,
  readRanges,
  readReceiver,
  refuseAddress,
  type ReceiverPolicy
} from '../../src/domain/receiver-address.ts'

const strict: ReceiverPolicy = { https_only: true, allowed: [] }
const test: ReceiverPolicy = { https_only: false, allowed: [] }
const allowing = (ranges: string): ReceiverPolicy => ({
  https_only: false,
  allowed: readRanges(ranges) ?? []
})

const causeOf = (url: string, policy: ReceiverPolicy) => {
  const read = readReceiver(url, policy)
  return read.outcome === 'refused' ? read.cause : null
}

describe('the URL of a receiver', () => {
  it('is taken when it is https, public and on a port for it', () => {
    for (const url of [
      'https://example.com',
      'https://example.com:8443/a?b=c',
      'https://8.8.8.8/',
      'https://[2606:4700::1]/'
    ])
      assert.equal(causeOf(url, strict), null, url)
    for (const url of ['http://example.com', 'http://example.com:8080/'])
      assert.equal(causeOf(url, test), null, url)
  })

  it('is refused for what it is', () => {
    const refused = {
      'url-invalid': [
        '',
        'example.com',
        'https://',
        'https://exa mple.com',
        'https://1.2.3.4.5',
        'https://[::1',
        'https://256.1.1.1/'
      ],
      'scheme-not-allowed': [
        'http://example.com',
        'ftp://example.com',
        'file:///etc/passwd',
        'gopher://x/',
        'javascript:1',
        'ws://a.b'
      ],
      'credentials-in-url': [
        'https://user@example.com',
        'https://u:p@example.com',
        'https://example.com@10.0.0.1/'
      ],
      'port-not-allowed': [
        'https://example.com:22',
        'https://example.com:25',
        'https://example.com:6379/',
        'https://8.8.8.8:9000'
      ]
    }
    for (const [cause, urls] of Object.entries(refused))
      for (const url of urls) assert.equal(causeOf(url, strict), cause, url)
  })

  it('is refused when it is an address that is not public, however that is written', () => {
    const local = [
      ...[
        '127.0.0.1',
        '127.1',
        '0x7f.0.0.1',
        '0177.0.0.1',
        '2130706433',
        '0x7f000001',
        '017700000001',
        '127.0.0.1.'
      ],
      ...[
        '１２７.0.0.1',
        '127。0。0。1',
        '%31%32%37.0.0.1',
        '0',
        '0.0.0.0',
        '10.1.2.3',
        '172.16.0.1',
        '172.31.255.255'
      ],
      ...[
        '192.168.1.1',
        '169.254.169.254',
        '100.64.0.1',
        '192.0.0.192',
        '198.18.0.1',
        '224.0.0.1',
        '255.255.255.255'
      ],
      ...[
        '240.0.0.1',
        '192.0.2.1',
        '[::]',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '[::ffff:7f00:1]',
        '[0:0:0:0:0:ffff:a00:1]'
      ],
      ...[
        '[::127.0.0.1]',
        '[::7f00:1]',
        '[64:ff9b::7f00:1]',
        '[64:ff9b:1::a00:1]',
        '[2002:7f00:1::]',
        '[2001::1]'
      ],
      ...[
        '[fe80::1]',
        '[fec0::1]',
        '[fc00::1]',
        '[fd00:ec2::254]',
        '[ff02::1]',
        '[2001:db8::1]',
        '[100::1]',
        '[4000::1]'
      ],
      ...['localhost', 'LOCALHOST', 'localhost.', 'a.localhost']
    ]
    for (const host of local) assert.equal(causeOf(`https://${host}/`, strict), 'address-not-allowed', host)
  })

  it('may lead to a private range that is allowed, on any port, and to no other', () => {
    const policy = allowing('10.0.0.0/8, fd00::/8')
    for (const url of [
      'http://10.1.2.3:9000',
      'http://[fd00::1]:9000',
      'http://[::ffff:10.1.2.3]:9000',
      'http://0xa.1'
    ])
      assert.equal(causeOf(url, policy), null, url)
    for (const url of ['http://127.0.0.1', 'http://192.168.0.1', 'http://[fc00::1]', 'http://[::1]'])
      assert.equal(causeOf(url, policy), 'address-not-allowed', url)
    assert.equal(causeOf('http://8.8.8.8:9000', policy), 'port-not-allowed')
    assert.equal(
      causeOf('http://a-name.of.theirs:9000', policy),
      null,
      'its addresses decide, when they are known'
    )
  })
})

describe('an address that a name was resolved to', () => {
  it('is refused by itself and by its port', () => {
    assert.equal(refuseAddress('8.8.8.8', 443, strict), null)
    assert.equal(refuseAddress('8.8.8.8', 22, strict), 'port-not-allowed')
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', 'fe80::1%eth0', 'nonsense', ''])
      assert.equal(refuseAddress(address, 443, strict), 'address-not-allowed', address)
  })

  it('is known without asking only of addresses and of localhost', () => {
    assert.deepEqual(knownAddresses('[::1]'), ['::1'])
    assert.deepEqual(knownAddresses('localhost'), ['127.0.0.1', '::1'])
    assert.deepEqual(knownAddresses('localhost.example.com'), [])
    assert.deepEqual(knownAddresses('127.0.0.1.nip.io'), [])
  })
})

it('ranges are read whole or not at all', () => {
  assert.equal(readRanges('10.0.0.0/8,::1/128')?.length, 2)
  for (const text of ['', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/8,', 'x/8'])
    assert.equal(readRanges(text), null, text)
})
