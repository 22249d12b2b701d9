// Microsoft's client for Node at work on a list: tokens by @azure/identity, everything else by @microsoft/microsoft-graph-client,
// both over TLS. The packages are those of the working directory; addresses, names and secrets are in the environment.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

const require = createRequire(`${process.cwd()}/`)
const { BatchRequestContent, BatchResponseContent, Client, PageIterator } = require('@microsoft/microsoft-graph-client')
const { TokenCredentialAuthenticationProvider } = require('@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials')
const { ClientCertificateCredential, ClientSecretCredential } = require('@azure/identity')

const { AUTHORITY_URL, CERTIFICATE, CLIENT, GRAPH_URL, SECRET, TENANT } = process.env
const SCOPE = 'https://graph.microsoft.com/.default'
const step = (name) => console.log(name)

async function credential() {
  const place = { authorityHost: AUTHORITY_URL, disableInstanceDiscovery: true }
  const wrong = new ClientSecretCredential(TENANT, CLIENT, 'wrong', place)
  await assert.rejects(wrong.getToken(SCOPE), /AADSTS7000215|invalid_client/)
  step('a wrong secret is refused')
  if (CERTIFICATE) {
    const signed = new ClientCertificateCredential(TENANT, CLIENT, { certificatePath: CERTIFICATE }, place)
    assert.ok((await signed.getToken(SCOPE)).token)
    step('a token by certificate')
  }
  return new ClientSecretCredential(TENANT, CLIENT, SECRET, place)
}

// The headers of the service's own errors are not kept by the client: status and code are.
const refused = (statusCode, code) => (error) => error.statusCode === statusCode && error.code === code

async function main() {
  const authProvider = new TokenCredentialAuthenticationProvider(await credential(), { scopes: [SCOPE] })
  const client = Client.initWithMiddleware({
    authProvider, baseUrl: `${GRAPH_URL}/`, customHosts: new Set(['localhost']), defaultVersion: 'v1.0',
  })

  const site = await client.api('/sites/contoso.sharepoint.com:/sites/Team').get()
  assert.equal(site.displayName, 'Team')
  step('the site by its path')

  const made = await client.api(`/sites/${site.id}/lists`).post({
    displayName: 'Node',
    columns: [
      { name: 'SyncKey', text: {}, indexed: true, enforceUniqueValues: true },
      { name: 'Price', number: {} },
      { name: 'Due', dateTime: { format: 'dateOnly' } },
    ],
    list: { template: 'genericList' },
  })
  const list = `/sites/${site.id}/lists/${made.id}`
  const { value: columns } = await client.api(`${list}/columns`).select('name,indexed').get()
  assert.equal(columns.find((column) => column.name === 'SyncKey').indexed, true)
  step('a list with columns')

  for (let number = 0; number < 5; number++) {
    const fields = { Title: `item ${number}`, SyncKey: `k${number}`, Price: number / 4, Due: '2026-01-05T00:00:00Z' }
    const item = await client.api(`${list}/items`).post({ fields })
    assert.deepEqual([item.id, item.fields.Price, item.fields.Due], [String(number + 1), number / 4, '2026-01-05T00:00:00Z'])
  }
  await assert.rejects(client.api(`${list}/items`).post({ fields: { SyncKey: 'k1' } }), (error) =>
    refused(400, 'invalidRequest')(error) && /duplicate values were found/.test(error.message))
  step('items and a duplicate')

  const page = await client.api(`${list}/items`).expand('fields($select=SyncKey)').top(2).get()
  const keys = []
  await new PageIterator(client, page, (item) => Boolean(keys.push(item.fields.SyncKey))).iterate()
  assert.deepEqual([page.value.length, keys], [2, ['k0', 'k1', 'k2', 'k3', 'k4']])
  const found = await client.api(`${list}/items`).filter("fields/SyncKey eq 'k2'").expand('fields').get()
  assert.deepEqual(found.value.map((item) => item.fields.Price), [0.5])
  step('all pages and a filter')

  const { eTag } = await client.api(`${list}/items/1`).get()
  const changed = await client.api(`${list}/items/1/fields`).header('If-Match', eTag).patch({ Price: 10 })
  assert.equal(changed.Price, 10)
  for (const attempt of [
    client.api(`${list}/items/1/fields`).header('If-Match', eTag).patch({ Price: 11 }),
    client.api(`${list}/items/1`).header('If-Match', eTag).delete(),
  ]) await assert.rejects(attempt, refused(412, 'resourceModified'))
  step('a change, and two with an old eTag')

  const delta = await client.api(`${list}/items/delta`).top(3).get()
  let last = delta
  const all = [...delta.value]
  while (last['@odata.nextLink']) {
    last = await client.api(last['@odata.nextLink']).get()
    all.push(...last.value)
  }
  await client.api(`${list}/items/2`).delete()
  const after = await client.api(last['@odata.deltaLink']).get()
  assert.deepEqual([all.length, after.value.map((item) => [item.id, item.deleted?.state])], [5, [['2', 'deleted']]])
  step('the change feed')

  const json = { 'Content-Type': 'application/json' }
  const request = (path, method, fields) => new Request(`https://localhost${path}`, {
    method, headers: fields ? json : {}, body: fields ? JSON.stringify({ fields }) : undefined,
  })
  const content = new BatchRequestContent([
    { id: 'new', request: request(`${list}/items`, 'POST', { SyncKey: 'k9' }) },
    { id: 'double', request: request(`${list}/items`, 'POST', { SyncKey: 'k0' }) },
    { id: 'read', request: request(`${list}/items/1`, 'GET') },
  ])
  const answers = new BatchResponseContent(await client.api('/$batch').post(await content.getContent()))
  const statuses = ['new', 'double', 'read'].map((id) => answers.getResponseById(id).status)
  assert.deepEqual(statuses, [201, 400, 200])
  assert.equal((await answers.getResponseById('new').json()).fields.SyncKey, 'k9')
  step('a batch')

  const chain = new BatchRequestContent([
    { id: 'double', request: request(`${list}/items`, 'POST', { SyncKey: 'k0' }) },
    { id: 'after', request: request(`${list}/items/1`, 'GET'), dependsOn: ['double'] },
  ])
  const failed = new BatchResponseContent(await client.api('/$batch').post(await chain.getContent()))
  assert.deepEqual(['double', 'after'].map((id) => failed.getResponseById(id).status), [400, 424])
  step('a batch that depends on what fails')

  const { value: before } = await client.api(`/sites/${site.id}/lists`).get()
  await client.api(list).delete()
  const { value: lists } = await client.api(`/sites/${site.id}/lists`).get()
  assert.deepEqual([before.length, lists.length], [1, 0])
  step('the list is deleted')
}

await main()
