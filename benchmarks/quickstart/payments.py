from step import participant

app = participant("stock-reserved", "payment-captured")
