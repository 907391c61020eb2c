from chain import participant

app = participant("payment-captured", "shipment-dispatched")
