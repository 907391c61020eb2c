from chain import participant

app = participant("order-placed", "stock-reserved")
