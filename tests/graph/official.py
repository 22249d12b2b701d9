"""Microsoft's SDK for Python at work on a list: tokens by azure-identity, everything else by msgraph-sdk.

official.py certificate DIR    writes a key and a certificate for it (both.pem, certificate.der)
official.py                    works; addresses, names and secrets are in the environment
"""

import asyncio
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

STEPS = []


def step(name, *claims):
    for number, claim in enumerate(claims):
        assert claim, f"{name}: claim {number} does not hold"
    STEPS.append(name)


def certificate(directory):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an application")])
    start = datetime.now(timezone.utc) - timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)
    (directory / "both.pem").write_bytes(pem)
    (directory / "certificate.der").write_bytes(made.public_bytes(serialization.Encoding.DER))


def credentials():
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import CertificateCredential, ClientSecretCredential

    tenant, client, scope = os.environ["TENANT"], os.environ["CLIENT"], "https://graph.microsoft.com/.default"
    place = {"authority": os.environ["AUTHORITY_URL"], "disable_instance_discovery": True}
    try:
        ClientSecretCredential(tenant, client, "wrong", **place).get_token(scope)
        raise AssertionError("a wrong secret gives a token")
    except ClientAuthenticationError as error:
        step("a wrong secret is refused", "AADSTS7000215" in str(error))
    by_certificate = CertificateCredential(tenant, client, certificate_path=os.environ["CERTIFICATE"], **place)
    step("a token by certificate", by_certificate.get_token(scope).token)
    by_secret = ClientSecretCredential(tenant, client, os.environ["SECRET"], **place)
    token = by_secret.get_token(scope)
    step("a token by secret", token.token, token.token == by_secret.get_token(scope).token)
    return by_secret


def client_of(credential):
    from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
    from msgraph import GraphRequestAdapter, GraphServiceClient

    scopes = ["https://graph.microsoft.com/.default"]
    host = os.environ["GRAPH_URL"].removeprefix("http://")
    hosts = [host, host.split(":")[0]]
    adapter = GraphRequestAdapter(AzureIdentityAuthenticationProvider(credential, scopes=scopes, allowed_hosts=hosts))
    adapter.base_url = os.environ["GRAPH_URL"] + "/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def make_list(client):
    from msgraph.generated.models.choice_column import ChoiceColumn
    from msgraph.generated.models.column_definition import ColumnDefinition
    from msgraph.generated.models.list_ import List_ as SharePointList
    from msgraph.generated.models.list_info import ListInfo
    from msgraph.generated.models.number_column import NumberColumn
    from msgraph.generated.models.text_column import TextColumn

    site = await client.sites.by_site_id("contoso.sharepoint.com:/sites/Team").get()
    step("the site by its path", site.display_name == "Team", len(site.id.split(",")) == 3)
    lists = client.sites.by_site_id(site.id).lists
    columns = [
        ColumnDefinition(name="SyncKey", text=TextColumn(), indexed=True, enforce_unique_values=True),
        ColumnDefinition(name="Price", number=NumberColumn()),
        ColumnDefinition(name="Size", choice=ChoiceColumn(choices=["S", "M"])),
    ]
    body = SharePointList(display_name="Python", columns=columns, list_=ListInfo(template="genericList"))
    made = await lists.post(body)
    step("a list with columns", made.display_name == "Python", made.list_.template == "genericList")
    one = lists.by_list_id(made.id)
    shown = (await one.columns.get()).value
    key = next(column for column in shown if column.name == "SyncKey")
    step("its columns", key.enforce_unique_values, key.indexed, key.text.max_length == 255)
    added = await one.columns.post(ColumnDefinition(name="Colour", text=TextColumn(max_length=20)))
    step("a column afterwards", added.name == "Colour", added.text.max_length == 20)
    return one


def item(**fields):
    from msgraph.generated.models.field_value_set import FieldValueSet
    from msgraph.generated.models.list_item import ListItem

    return ListItem(fields=FieldValueSet(additional_data=fields))


async def make_items(one):
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError

    for number in range(5):
        made = await one.items.post(item(Title=f"item {number}", SyncKey=f"k{number}", Price=number / 4))
        data = made.fields.additional_data
        step(f"item {number}", made.id == str(number + 1), data["SyncKey"] == f"k{number}", data["Price"] == number / 4)
    try:
        await one.items.post(item(SyncKey="K3"))
        raise AssertionError("a duplicate is taken")
    except ODataError as error:
        step("a duplicate", error.response_status_code == 400, "duplicate values were found" in error.error.message)


async def read_pages(client, one):
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph.generated.sites.item.lists.item.items.items_request_builder import ItemsRequestBuilder
    from msgraph_core.tasks.page_iterator import PageIterator

    Query = ItemsRequestBuilder.ItemsRequestBuilderGetQueryParameters
    query = Query(top=2, expand=["fields($select=SyncKey,Price)"])
    page = await one.items.get(RequestConfiguration(query_parameters=query))
    seen = []

    def take(element):
        seen.append(element.fields.additional_data["SyncKey"])
        return True

    iterator = PageIterator(page, client.request_adapter)
    await iterator.iterate(take)
    step("all pages", len(page.value) == 2, seen == [f"k{number}" for number in range(5)])
    query = Query(filter="fields/SyncKey eq 'k2' or fields/SyncKey eq 'k4'", expand=["fields"])
    found = await one.items.get(RequestConfiguration(query_parameters=query))
    step("a filter", [element.id for element in found.value] == ["3", "5"], found.odata_next_link is None)


async def change(one):
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph.generated.models.field_value_set import FieldValueSet
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError

    def only(etag):
        configuration = RequestConfiguration()
        configuration.headers.add("If-Match", etag)
        return configuration

    first = one.items.by_list_item_id("1")
    etag = (await first.get()).e_tag
    changed = await first.fields.patch(FieldValueSet(additional_data={"Price": 10}), only(etag))
    step("a change with the right eTag", changed.additional_data["Price"] == 10)
    for name, attempt in [
        ("a change with an old eTag", lambda: first.fields.patch(FieldValueSet(additional_data={"Price": 11}), only(etag))),
        ("a deletion with an old eTag", lambda: first.delete(only(etag))),
    ]:
        try:
            await attempt()
            raise AssertionError(f"{name} is taken")
        except ODataError as error:
            step(name, error.response_status_code == 412, error.error.code == "resourceModified")
    try:
        await one.items.by_list_item_id("99").get()
        raise AssertionError("there is an item 99")
    except ODataError as error:
        inner = error.error.inner_error
        step("no item", error.response_status_code == 404, error.error.code == "itemNotFound", inner.request_id, inner.date)


async def changes(one):
    delta = await one.items.delta.get()
    step("all that is there", len(delta.value) == 5, delta.odata_delta_link)
    await one.items.by_list_item_id("2").delete()
    await one.items.post(item(SyncKey="k9"))
    changed = await one.items.delta.with_url(delta.odata_delta_link).get()
    deleted = {element.id: element.deleted and element.deleted.state for element in changed.value}
    step("what has changed", deleted == {"2": "deleted", "6": None})
    token = changed.odata_delta_link.split("token=")[1]
    none = await one.items.delta_with_token(token).get()
    step("nothing more, by token", none.value == [])


async def many(client, one):
    from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
    from msgraph_core.requests.batch_request_content import BatchRequestContent
    from msgraph_core.requests.batch_request_item import BatchRequestItem

    adapter = client.request_adapter
    content = BatchRequestContent()

    # Not what one request depends on, which this SDK writes under a name that is not the service's.
    for id, information in {
        "new": one.items.to_post_request_information(item(SyncKey="k10", Price=1)),
        "double": one.items.to_post_request_information(item(SyncKey="k0")),
        "read": one.items.by_list_item_id("1").to_get_request_information(),
    }.items():
        request = BatchRequestItem(information, id)
        # Within a batch addresses begin after the version; this SDK may leave the server before it.
        request.url = request.url.removeprefix(adapter.base_url)
        content.add_request(id, request)
    answers = await BatchRequestBuilder(adapter).post(content)
    statuses = answers.get_response_status_codes()
    step("a batch", statuses == {"new": 201, "double": 400, "read": 200})
    # Bodies of answers are not kept by this SDK.
    made = await one.items.by_list_item_id("7").fields.get()
    step("what it made", made.additional_data["SyncKey"] == "k10")


async def work():
    client = client_of(credentials())
    one = await make_list(client)
    await make_items(one)
    await read_pages(client, one)
    await change(one)
    await changes(one)
    await many(client, one)
    await one.delete()
    remaining = (await client.sites.by_site_id("contoso.sharepoint.com:/sites/Team").lists.get()).value
    step("the list is deleted", remaining == [])


if __name__ == "__main__":
    if sys.argv[1:2] == ["certificate"]:
        certificate(Path(sys.argv[2]))
    else:
        try:
            asyncio.run(work())
        finally:
            print("\n".join(STEPS))
