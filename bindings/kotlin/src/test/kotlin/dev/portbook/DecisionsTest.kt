package dev.portbook

import java.util.concurrent.ConcurrentSkipListMap
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val SHOP = RecordPlace.Host("shop", "orders")
private val COPY = RecordPlace.Host("copy", "orders")
private const val LIST = "sharepoint://contoso.sharepoint.com/sites/Team/Orders"
private val MANUAL = RecordOptions(mode = RecordMode.TWO_WAY, policy = RecordPolicy.MANUAL)

private fun order(id: Int, name: String, price: Int) = row("id" to id, "name" to name, "price" to price)

/** Rows in memory, each a JSON object. */
private class Store(vararg given: String) : RecordSource {
    val rows = ConcurrentSkipListMap<Int, String>()

    @Volatile
    var columns = listOf(
        HostColumn("id", DatumKind.INTEGER), HostColumn("name", DatumKind.TEXT), HostColumn("price", DatumKind.INTEGER),
    )

    init {
        given.forEach(::put)
    }

    fun put(row: String) {
        rows.merge(Regex("\"id\":(\\d+)").find(row)!!.groupValues[1].toInt(), row, ::changed)
    }

    /** The row with the columns that are given. */
    private fun changed(row: String, given: String) = columns.map { it.name }.joinToString(",", "{", "}") { name ->
        val column = Regex("\"$name\":(\"[^\"]*\"|[^,}]*)")
        (column.find(given) ?: column.find(row))!!.value
    }

    override suspend fun describe(table: String) = HostTable(columns, key = listOf("id"))

    override suspend fun scan(table: String, columns: List<String>, after: String?, limit: Long) =
        RecordAnswer.Rows(rows.values.toList(), null)

    override suspend fun insert(table: String, key: List<String>, rows: List<String>): List<WrittenRow>? {
        rows.forEach(::put)
        return null
    }

    override suspend fun update(table: String, key: List<String>, rows: List<String>) = insert(table, key, rows)
}

/** Two stores in step, served during the block. */
private suspend fun World.inStep(options: RecordOptions, block: suspend (Definition, Store, Store) -> Unit) = coroutineScope {
    val (shop, copy) = Store(order(1, "new", 1), order(2, "new", 2)) to Store()
    val stores = listOf(session.hostRecords("shop") to shop, session.hostRecords("copy") to copy)
    stores.forEach { (store, rows) -> launch { store.serve(rows) } }
    try {
        val definition = session.connectRecords(SHOP, COPY, options)
        assertEquals(2, definition.sync().finish().counts.new)
        block(definition, shop, copy)
    } finally {
        stores.forEach { (store, _) -> store.shutdown() }
    }
}

class DecisionsTest {
    @Test
    fun `a person decides about rows`() = world {
        inStep(MANUAL) { definition, shop, copy ->
            shop.put(order(1, "here", 1))
            copy.put(order(1, "new", 7))
            assertEquals(1, definition.sync().finish().waiting)
            val conflict = definition.eachConflict().toList().single()
            assertEquals(listOf("1", true, true, null), listOf(conflict.row, conflict.isAtSource, conflict.isAtTarget, conflict.choice))
            val fields = definition.inspectConflict(conflict.id).fields.filter { !it.isSame }
            val told = fields.map { Triple(it.target, it.sourceValue, it.targetValue) }
            assertEquals(listOf(Triple("name", "\"here\"", "\"new\""), Triple("price", "1", "7")), told)

            val choice = RowChoice.Merge(listOf("price"))
            fails(ErrorCode.STALE) { definition.resolveConflict(conflict.id, "x", choice) }
            fails(ErrorCode.NOT_FOUND) { definition.resolveConflict("00", conflict.mark, choice) }
            fails(ErrorCode.NOT_FOUND) { definition.inspectConflict("no id") }
            fails(ErrorCode.INVALID) { definition.conflicts("no id", 1u) }
            fails(ErrorCode.INVALID) { definition.conflicts(LONE, 1u) }
            fails(ErrorCode.INVALID) { definition.inspectConflict(LONE) }
            for (wrong in listOf("nobody", LONE)) {
                fails(ErrorCode.INVALID) { definition.resolveConflict(conflict.id, conflict.mark, RowChoice.Merge(listOf(wrong))) }
            }
            definition.resolveConflict(conflict.id, conflict.mark, choice)
            assertEquals(choice, definition.conflicts(null, 10u).single().choice)
            val actions = definition.eachChange(definition.preview()).toList().map { it.action }
            assertEquals(listOf(RowAction.MERGE), actions)
            assertEquals(1, definition.sync().finish().counts.updated)
            assertEquals(shop.rows, copy.rows)
            assertTrue("\"here\"" in shop.rows.getValue(1) && "7" in shop.rows.getValue(1), shop.rows.toString())
            assertEquals(emptyList<RowConflict>(), definition.conflicts(null, 10u))
        }
    }

    @Test
    fun `what has changed about a table is told`() = world {
        inStep(RecordOptions()) { definition, shop, _ ->
            assertEquals(emptyList<Drift>() to emptyList<RecordTarget>(), definition.drift() to definition.targets())
            shop.columns += HostColumn("note", DatumKind.TEXT)
            val drift = definition.drift().single()
            assertEquals(SchemaChange(SchemaChangeKind.ADDED, "note", null, "text"), drift.change)
            assertEquals(Side.SOURCE to DriftEffect.NEEDS_MAPPING, drift.side to drift.effect)
            assertEquals(listOf(drift), definition.preview().drift)
            assertEquals(definition.id(), session.tableDrift(SHOP).single().definitions.single().definition)
            session.acceptTable(SHOP)
            assertEquals(emptyList<Drift>(), definition.drift())
            shop.columns = shop.columns.filter { it.name != "name" }
            assertEquals(DriftEffect.BLOCKS, definition.drift()[0].effect)
            fails(ErrorCode.INVALID) { definition.preview() }
        }
    }

    @Test
    fun `options, places and budgets that are none are refused`() = world {
        val account = UnitAccount("t", "c")
        inStep(RecordOptions()) { definition, _, _ ->
            suspend fun connect(options: RecordOptions) = session.connectRecords(SHOP, COPY, options)
            for (number in listOf(-1L, 1L shl 53, Long.MIN_VALUE, Long.MAX_VALUE)) {
                fails(ErrorCode.INVALID) { connect(RecordOptions(clock = RecordClock("id", "id", skewMs = number))) }
                fails(ErrorCode.INVALID) { session.setSharepointBudget(account, UnitBudget(number, 1)) }
                fails(ErrorCode.INVALID) { session.setSharepointBudget(account, UnitBudget(1, number)) }
            }
            fails(ErrorCode.INVALID) { session.setSharepointBudget(account, UnitBudget(0, 0)) }
            fails(ErrorCode.INVALID) { session.sharepointBudget(UnitAccount(LONE, "c")) }
            session.setSharepointBudget(account, UnitBudget(7, 7_000))
            assertEquals(UnitBudget(7, 7_000), session.sharepointBudget(UnitAccount("T", "C")))

            val access = ListAccess(clientSecret = "hunter2", caFile = "/no/such.pem")
            val list = RecordPlace.List(LIST, access)
            assertFalse("hunter2" in access.toString() || "hunter2" in list.toString(), list.toString())
            for (place in listOf(
                RecordPlace.Table(LIST, null),
                RecordPlace.List("sqlite:///x/y", access),
                RecordPlace.List("$LIST?client_secret=hunter2", null),
                RecordPlace.List(LONE, null),
                list,
            )) {
                for (error in listOf(
                    fails(ErrorCode.INVALID) { session.inspectTable(place) },
                    fails(ErrorCode.INVALID) { session.tableDrift(place) },
                    fails(ErrorCode.INVALID) { session.acceptTable(place) },
                    fails(ErrorCode.INVALID) { connect(RecordOptions(routes = listOf(RecordRoute("true", place)))) },
                )) {
                    assertFalse("hunter2" in error.message!!, error.message)
                }
            }
            fails(ErrorCode.UNSUPPORTED) { connect(RecordOptions(routes = listOf(RecordRoute("true", COPY)))) }
            fails(ErrorCode.INVALID) { connect(RecordOptions(clock = RecordClock("no", "id"))) }
            fails(ErrorCode.INVALID) { definition.preview(RowPreviewOptions(routeTo = "no id")) }
            fails(ErrorCode.INVALID) { session.introspectDatabase("sqlite:///x/y") }
            fails(ErrorCode.INVALID) { session.introspectDatabase("postgres://me:hush@localhost/shop") }
            definition.close()
            fails(ErrorCode.INVALID) { definition.drift() }
            fails(ErrorCode.INVALID) { definition.conflicts(null, 1u) }
        }
    }
}
