from chain import participant

app = participant("stock-reserved", "payment-captured")
