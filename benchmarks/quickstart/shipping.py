from step import participant

app = participant("payment-captured", "shipment-dispatched")
