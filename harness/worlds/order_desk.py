"""The desk of a small shop: customers, products in stock, orders and refunds."""

from __future__ import annotations

import copy
from typing import Any

from harness.types import JsonObject, Sample
from harness.worlds.toolbox import CallError, Tool, carry_out, number, text

_MOST_ORDERS = 500


class OrderDesk:
    """Customers, products, orders and refunds, each by its id; prices are whole cents.

    An order is ``open``, ``shipped``, ``delivered`` or ``cancelled``. What is ordered leaves the stock at once, and
    what is cancelled comes back.
    """

    def __init__(self, start: JsonObject) -> None:
        """``start`` is a state."""
        held = copy.deepcopy(start)
        self._customers: dict[str, JsonObject] = held["customers"]
        self._products: dict[str, JsonObject] = held["products"]
        self._orders: dict[str, JsonObject] = held["orders"]
        self._refunds: dict[str, int] = held["refunds"]

    @classmethod
    def of(cls, sample: Sample) -> OrderDesk:
        """The one that a sample begins with."""
        return cls(sample.metadata["start"])

    def call(self, name: str, arguments: str) -> str:
        """The result of a call as JSON text."""
        return carry_out(TOOLS, self, name, arguments)

    def state(self) -> JsonObject:
        """``customers``, ``products``, ``orders`` by id, and ``refunds``: cents by order."""
        held = {"customers": self._customers, "products": self._products}
        return copy.deepcopy({**held, "orders": self._orders, "refunds": self._refunds})

    # --- tools -----------------------------------------------------------------------------------------------

    def find_customers(self, name: str) -> Any:
        """Customers whose name or e-mail holds a text."""
        name = name.casefold().strip()
        held = {key: f"{one['name']} {one['email']}".casefold() for key, one in self._customers.items()}
        return [{"customer_id": key, **self._customers[key]} for key, said in held.items() if name in said]

    def find_products(self, word: str) -> Any:
        """Products whose name holds a word."""
        word = word.casefold().strip()
        return [{"product_id": key, **one} for key, one in self._products.items() if word in one["name"].casefold()]

    def list_orders(self, customer_id: str) -> Any:
        """The orders of a customer."""
        _known("customer", customer_id, self._customers)
        return [self._shown(key) for key, one in self._orders.items() if one["customer_id"] == customer_id]

    def get_order(self, order_id: str) -> Any:
        """One order."""
        _known("order", order_id, self._orders)
        return self._shown(order_id)

    def place_order(self, customer_id: str, product_id: str, quantity: int) -> Any:
        """A new open order, sent to the customer's address."""
        customer = _known("customer", customer_id, self._customers)
        product = _known("product", product_id, self._products)
        if len(self._orders) >= _MOST_ORDERS:
            raise CallError("no more orders are taken today")
        self._take(product, _positive(quantity))
        order_id = f"O-{1 + max((int(one[2:]) for one in self._orders), default=1000)}"
        ordered = {"customer_id": customer_id, "product_id": product_id, "quantity": quantity}
        self._orders[order_id] = {**ordered, "status": "open", "address": customer["address"]}
        return self._shown(order_id)

    def cancel_order(self, order_id: str) -> Any:
        """Cancel an open order."""
        order = self._open(order_id)
        order["status"] = "cancelled"
        self._products[order["product_id"]]["stock"] += order["quantity"]
        return self._shown(order_id)

    def change_quantity(self, order_id: str, quantity: int) -> Any:
        """Change how many pieces an open order is of."""
        order = self._open(order_id)
        self._take(self._products[order["product_id"]], _positive(quantity) - order["quantity"])
        order["quantity"] = quantity
        return self._shown(order_id)

    def change_address(self, order_id: str, address: str) -> Any:
        """Send an open order somewhere else."""
        self._open(order_id)["address"] = _said(address)
        return self._shown(order_id)

    def update_customer(self, customer_id: str, address: str | None = None, email: str | None = None) -> Any:
        """Change where a customer lives or is written to; orders keep their address."""
        customer = _known("customer", customer_id, self._customers)
        changed = {name: _said(value) for name, value in (("address", address), ("email", email)) if value is not None}
        if not changed:
            raise CallError("give an address or an email")
        customer.update(changed)
        return {"customer_id": customer_id, **customer}

    def refund_order(self, order_id: str, cents: int) -> Any:
        """Pay back a part of what a delivered order cost, or all."""
        order = _known("order", order_id, self._orders)
        if order["status"] != "delivered":
            raise CallError(f"order {order_id} is {order['status']}, and only a delivered one can be refunded")
        left = self._shown(order_id)["total_cents"] - self._refunds.get(order_id, 0)
        if _positive(cents) > left:
            raise CallError(f"at most {left} cents of order {order_id} can be refunded")
        self._refunds[order_id] = self._refunds.get(order_id, 0) + cents
        return {"order_id": order_id, "refunded_cents": self._refunds[order_id]}

    # --- rules -----------------------------------------------------------------------------------------------

    def _shown(self, order_id: str) -> JsonObject:
        order = self._orders[order_id]
        product = self._products[order["product_id"]]
        total = product["price_cents"] * order["quantity"]
        return {"order_id": order_id, **order, "product": product["name"], "total_cents": total}

    def _open(self, order_id: str) -> JsonObject:
        order = _known("order", order_id, self._orders)
        if order["status"] != "open":
            raise CallError(f"order {order_id} is {order['status']}, and only an open one can be changed")
        return order

    @staticmethod
    def _take(product: JsonObject, pieces: int) -> None:
        if pieces > product["stock"]:
            raise CallError(f"only {product['stock']} of {product['name']} are in stock")
        product["stock"] -= pieces


def _known(what: str, name: str, found: dict[str, JsonObject]) -> JsonObject:
    if name not in found:
        raise CallError(f"there is no {what} {name[:80]!r}")
    return found[name]


def _positive(quantity: int) -> int:
    if quantity < 1:
        raise CallError("the number must be 1 or more")
    return quantity


def _said(value: str) -> str:
    if not value.strip():
        raise CallError("the text must not be empty")
    return value.strip()


_CUSTOMER, _ORDER = text("Id of the customer, such as C-1"), text("Id of the order, such as O-1001")
_PIECES = number("Pieces")
TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "find_customers",
            "Find customers by a part of their name or e-mail.",
            {"name": text("A part of the name or e-mail")},
            OrderDesk.find_customers,
        ),
        Tool(
            "find_products",
            "Find products, with price and stock, by a word of their name.",
            {"word": text("A word of the name")},
            OrderDesk.find_products,
        ),
        Tool("list_orders", "List a customer's orders.", {"customer_id": _CUSTOMER}, OrderDesk.list_orders),
        Tool("get_order", "Look at one order.", {"order_id": _ORDER}, OrderDesk.get_order),
        Tool(
            "place_order",
            "Order a product for a customer.",
            {"customer_id": _CUSTOMER, "product_id": text("Id of the product, such as P-1"), "quantity": _PIECES},
            OrderDesk.place_order,
        ),
        Tool("cancel_order", "Cancel an open order.", {"order_id": _ORDER}, OrderDesk.cancel_order),
        Tool(
            "change_quantity",
            "Change the number of pieces of an open order.",
            {"order_id": _ORDER, "quantity": _PIECES},
            OrderDesk.change_quantity,
        ),
        Tool(
            "change_address",
            "Change where an open order is sent.",
            {"order_id": _ORDER, "address": text("The whole new address")},
            OrderDesk.change_address,
        ),
        Tool(
            "update_customer",
            "Change a customer's address or e-mail; orders that are there keep their address.",
            {"customer_id": _CUSTOMER, "address": text("The whole new address"), "email": text("The new e-mail")},
            OrderDesk.update_customer,
            optional=("address", "email"),
        ),
        Tool(
            "refund_order",
            "Pay money of a delivered order back.",
            {"order_id": _ORDER, "cents": number("Cents to pay back")},
            OrderDesk.refund_order,
        ),
    )
}
